"""A ChatAgent that says what it was asked, with fixed ids."""

from mlflow.models import set_model
from mlflow.pyfunc import ChatAgent
from mlflow.types.agent import ChatAgentMessage, ChatAgentResponse


class Parrot(ChatAgent):
    def predict(self, messages, context=None, custom_inputs=None):
        said = [message.model_dump() for message in messages]
        about = context.model_dump() if context is not None else None
        return ChatAgentResponse(
            messages=[
                ChatAgentMessage(
                    role="assistant", content=repr([said, about, custom_inputs]), id="message-1"
                )
            ],
            custom_outputs={"seen": custom_inputs},
        )


set_model(Parrot())
