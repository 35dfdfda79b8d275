"""The server's side of ``fetch``: one child process, one request at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from typing import Any, Final

from pelton import platform
from pelton.errors import ModelUriError

_LOG_TAIL_BYTES: Final = 2000
# A progress line is short; a result can hold a long message.
_LINE_LIMIT_BYTES: Final = 1 << 20


class Fetcher:
    """Answers questions about model URIs, in a child process that is started when first asked.

    Importing mlflow takes seconds and some 150 MB, so one that is asked again and again (a watcher
    of an alias) keeps its child; ``async with`` ends it. Owned by one task: one request at a time.
    If a request is cancelled or times out, the child is killed and the next request starts another.
    """

    def __init__(self) -> None:
        self._child: asyncio.subprocess.Process | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 -- closed in `close`

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ask(
        self,
        op: str,
        uri: str,
        *,
        on_progress: Callable[[str], None],
        timeout_s: float | None = None,
        **arguments: Any,
    ) -> Any:
        """Send one request of ``fetch``'s and return its result.

        Raises:
            ModelUriError: the child says why not, died, or took longer than ``timeout_s``.
        """
        request = json.dumps({"op": op, "uri": uri, **arguments}) + "\n"
        answered = False
        try:
            async with asyncio.timeout(timeout_s):
                child = self._child = self._child or await self._start()
                answer = await self._converse(child, request, on_progress)
                answered = True
        except TimeoutError:
            raise ModelUriError(
                f"{uri} was not fetched within {timeout_s:g} s; its store is slow or does not "
                "answer; allow more time, or fetch the model first and serve the local directory"
            ) from None
        finally:
            if not answered:
                await self._kill()
        if "error" in answer:
            raise ModelUriError(answer["error"])
        return answer["result"]

    async def close(self) -> None:
        """End the child; a later request would start another."""
        await self._kill()
        self._log.close()

    async def _start(self) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "pelton.environment.fetch"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # its own process group, to be killed as a whole
            limit=_LINE_LIMIT_BYTES,
        )
        platform.send_away(child.pid)
        return child

    async def _converse(
        self,
        child: asyncio.subprocess.Process,
        request: str,
        on_progress: Callable[[str], None],
    ) -> dict[str, Any]:
        assert child.stdin is not None
        assert child.stdout is not None
        self._log.truncate(0)
        with contextlib.suppress(ConnectionError):  # it died: the read below says so
            child.stdin.write(request.encode())
            await child.stdin.drain()
        while line := await child.stdout.readline():
            answer: dict[str, Any] = json.loads(line)
            if "progress" not in answer:
                return answer
            on_progress(answer["progress"])
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - _LOG_TAIL_BYTES))
        tail = self._log.read().decode(errors="replace").strip()
        raise ModelUriError(
            f"the process that fetches the model ended by itself (exit code {await child.wait()}):"
            f"\n{tail or 'it printed nothing'}"
        )

    async def _kill(self) -> None:
        """Kill the child with everything it started, and wait until it is gone."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await asyncio.shield(child.wait())
