"""A ChatModel that says what it was asked, with a fixed id and time."""

from mlflow.models import set_model
from mlflow.pyfunc import ChatModel
from mlflow.types.llm import ChatChoice, ChatCompletionResponse, ChatMessage, TokenUsageStats


class Parrot(ChatModel):
    def predict(self, context, messages, params):
        text = "\n".join(f"{message.role}: {message.content}" for message in messages)
        return ChatCompletionResponse(
            id="chat-1",
            created=1_700_000_000,
            model="parrot",
            choices=[
                ChatChoice(
                    index=0,
                    message=ChatMessage(role="assistant", content=f"{text}\n{params.to_dict()}"),
                )
            ],
            usage=TokenUsageStats(prompt_tokens=1, completion_tokens=2, total_tokens=3),
        )


set_model(Parrot())
