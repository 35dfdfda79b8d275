"""Unified input and MLflow's chat classes."""

from __future__ import annotations

from typing import Any

from tests.conformance.case import Case, document, inputs, records, split

_USER = {"role": "user", "content": "Hello"}
_SYSTEM = {"role": "system", "content": "Be brief"}


def cases() -> dict[str, list[Case]]:
    return {
        "unified-llm": [*_messages(), *_unified()],
        "witness": _unified(),
        "chat-model": [*_messages(), *_chat_model()],
        "chat-agent": [*_messages(), *_chat_agent()],
        "responses-agent": [*_responses()],
        "columns-required": _unified()[:4],
        "sklearn4": _unified()[:4],
    }


def _unified() -> list[Case]:
    return [
        document("unified prompt", {"prompt": "Hello"}),
        document("unified input", {"input": "Hello"}),
        document("unified messages", {"messages": [_USER]}),
        document("unified beside inputs", {"input": "Hello", "inputs": [1]}),
        document("unified list", {"input": ["a", "b"]}),
        document("unified null", {"prompt": None}),
        document("unified number", {"prompt": 1}),
        document("unified params key", {"prompt": "Hello", "params": {"temperature": 0.5}}),
        document("unified temperature", {"prompt": "Hello", "temperature": 0.9}),
        document("unified integer temperature", {"prompt": "Hello", "temperature": 1}),
        document("unified max_tokens", {"prompt": "Hello", "max_tokens": 5, "stop": "."}),
        document("unified wrong max_tokens", {"prompt": "Hello", "max_tokens": "many"}),
        document("unified unknown key", {"prompt": "Hello", "z": {"a": [1, None]}}),
        document("unified prompt and messages", {"prompt": "a", "messages": [_USER]}),
        document("unified empty messages", {"messages": []}),
        document("unified two", {"messages": [_SYSTEM, _USER], "stream": True}),
    ]


def _messages() -> list[Case]:
    calls = [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
    ]
    return [
        document("user", {"messages": [_USER]}),
        document("system and user", {"messages": [_SYSTEM, _USER]}),
        document("no content", {"messages": [{"role": "user"}]}),
        document("null content", {"messages": [{"role": "user", "content": None}]}),
        document("no role", {"messages": [{"content": "Hello"}]}),
        document("number content", {"messages": [{"role": "user", "content": 1}]}),
        document(
            "parts", {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}
        ),
        document("unknown role", {"messages": [{"role": "pirate", "content": "Arr"}]}),
        document("named", {"messages": [{**_USER, "name": "ada"}]}),
        document("unknown property", {"messages": [{**_USER, "z": 1}]}),
        document(
            "tool calls",
            {"messages": [_USER, {"role": "assistant", "content": "", "tool_calls": calls}]},
        ),
        document(
            "tool answer",
            {"messages": [{"role": "tool", "content": "x", "tool_call_id": "1", "name": "f"}]},
        ),
        document("identified", {"messages": [{**_USER, "id": "m1"}]}),
        document("no messages", {"messages": []}),
        document("messages null", {"messages": None}),
        document("messages text", {"messages": "Hello"}),
        document("messages object", {"messages": _USER}),
        document("messages of text", {"messages": ["Hello"]}),
        document("accents", {"messages": [{"role": "user", "content": "é \ud83d\ude00"}]}),
        document("unknown key", {"messages": [_USER], "z": 1}),
        document("stream", {"messages": [_USER], "stream": True}),
        inputs("inputs", {"messages": [_USER]}),
        inputs("inputs list", [{"messages": [_USER]}]),
        records("records", [{"messages": [_USER]}]),
        split("split", [[[_USER]]], ["messages"]),
        document("prompt", {"prompt": "Hello"}),
    ]


def _chat_model() -> list[Case]:
    fields: dict[str, list[Any]] = {
        "temperature": [0.5, 1, 2, 1.0, "hot", None],
        "max_tokens": [5, 5.0, 1.5, None, "5"],
        "stop": [["."], ".", [], None, [1]],
        "n": [1, 2, "1"],
        "top_p": [0.5, 1],
        "top_k": [3, 0.5],
        "frequency_penalty": [0.5, 0],
        "presence_penalty": [-0.5],
        "stream": [False, "yes"],
        "custom_inputs": [{"a": "b"}, {"a": 1}, {"a": {"b": [1]}}, {}, "a"],
        "tools": [
            [],
            [{"type": "function", "function": {"name": "f", "description": "d"}}],
            [{"type": "function"}],
        ],
        "metadata": [{"a": "b"}],
    }
    every = {"temperature": 0.5, "max_tokens": 5, "stop": ["."], "n": 1, "top_p": 0.5}
    return [
        *[
            document(f"{field} {number}", {"messages": [_USER], field: value})
            for field, values in fields.items()
            for number, value in enumerate(values)
        ],
        document("every", {"messages": [_USER], **every}),
        inputs("inputs with temperature", {"messages": [_USER], "temperature": 0.5}),
        inputs("inputs with params", {"messages": [_USER]}, params={"temperature": 0.5}),
    ]


def _chat_agent() -> list[Case]:
    fields: dict[str, list[Any]] = {
        "context": [
            {"conversation_id": "c", "user_id": "u"},
            {"conversation_id": "c"},
            {},
            None,
            "c",
            {"z": 1},
            {"conversation_id": 1},
        ],
        "custom_inputs": [{"a": "b"}, {"a": {"b": [1, None]}}, {}, None, "a", [1]],
        "stream": [False, None, "yes"],
    }
    message = {**_USER, "id": "m1"}
    return [
        document(f"{field} {number}", {"messages": [message], field: value})
        for field, values in fields.items()
        for number, value in enumerate(values)
    ]


def _responses() -> list[Case]:
    message = {"type": "message", **_USER}
    parts = [{"type": "input_text", "text": "Hello"}]
    call = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}", "id": "f1"}
    output = {"type": "function_call_output", "call_id": "1", "output": "x"}
    fields: dict[str, list[Any]] = {
        "custom_inputs": [{"a": "b"}, {"a": [1, {"b": None}]}, {}, None],
        "context": [{"conversation_id": "c", "user_id": "u"}, {}, None, "c"],
        "temperature": [0.5, 1, "hot"],
        "max_output_tokens": [5, 1.5],
        "top_p": [0.5],
        "stream": [True, False],
        "store": [True],
        "user": ["u"],
        "tools": [[], [{"type": "function", "name": "f", "parameters": {}}]],
        "metadata": [{"a": "b"}],
        "instructions": ["Be brief"],
        "unknown": [1],
    }
    return [
        *[
            document(f"{field} {number}", {"input": [_USER], field: value})
            for field, values in fields.items()
            for number, value in enumerate(values)
        ],
        document("user", {"input": [_USER]}),
        document("message", {"input": [message]}),
        document("parts", {"input": [{"role": "user", "content": parts}]}),
        document("two", {"input": [_SYSTEM, _USER]}),
        document("call", {"input": [_USER, call, output]}),
        document("text", {"input": "Hello"}),
        document("nothing", {"input": []}),
        document("null", {"input": None}),
        document("object", {"input": _USER}),
        document("no role", {"input": [{"content": "Hello"}]}),
        document("unknown item", {"input": [{"type": "z"}]}),
        document("list of text", {"input": ["Hello"]}),
        inputs("inputs", {"input": [_USER]}),
        inputs("inputs list", [{"input": [_USER]}]),
        records("records", [{"input": [_USER]}]),
        split("split", [[[_USER]]], ["input"]),
        document("messages", {"messages": [_USER]}),
        document("prompt", {"prompt": "Hello"}),
    ]
