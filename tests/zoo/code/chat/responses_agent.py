"""A ResponsesAgent that says what it was asked, with a fixed id."""

from mlflow.models import set_model
from mlflow.pyfunc import ResponsesAgent
from mlflow.types.responses import ResponsesAgentResponse


class Parrot(ResponsesAgent):
    def predict(self, request):
        asked = request.model_dump(exclude_none=True)
        item = self.create_text_output_item(text=repr(asked), id="message-1")
        return ResponsesAgentResponse(output=[item], custom_outputs=request.custom_inputs)


set_model(Parrot())
