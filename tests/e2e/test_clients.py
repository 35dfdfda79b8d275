"""The real clients of Databricks' endpoints, unchanged, against ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.endpoint import Endpoint
from tests.e2e.test_flavors import FLOWERS, IRIS, ROWS
from tests.zoo import build

pytestmark = pytest.mark.xdist_group("clients")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(build("sklearn4"), "--name", "iris") as endpoint:
        yield endpoint


@pytest.fixture(autouse=True)
def account(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's own Databricks settings do not count."""
    for name in ("DATABRICKS_CONFIG_PROFILE", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("DATABRICKS_HOST", endpoint.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", "token")


def test_databricks_sdk(endpoint: Endpoint) -> None:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import BadRequest, NotFound
    from databricks.sdk.service.serving import DataframeSplitInput

    client = WorkspaceClient(host=endpoint.url, token="token").serving_endpoints

    split = client.query("iris", dataframe_split=DataframeSplitInput(columns=IRIS, data=FLOWERS))
    assert (split.predictions, split.served_model_name) == ([0, 2], "iris")
    records = [dict(zip(IRIS, row, strict=True)) for row in FLOWERS]
    assert client.query("iris", dataframe_records=records).predictions == [0, 2]
    with pytest.raises(BadRequest, match="missing inputs"):
        client.query("iris", dataframe_records=[{"sepal_length": 1.0}])
    with pytest.raises(BadRequest, match="exactly one of the input fields"):
        client.query("iris", inputs=[1], instances=[1])
    with pytest.raises(NotFound):
        client.query("other", inputs=[1])


def test_mlflow_deployments(endpoint: Endpoint) -> None:
    from mlflow.deployments import get_deploy_client
    from requests import HTTPError

    client = get_deploy_client("databricks")

    assert client.predict(endpoint="iris", inputs=ROWS)["predictions"] == [0, 2]
    with pytest.raises(HTTPError, match="400") as refused:  # at once, and not as a 500
        client.predict(endpoint="iris", inputs={"dataframe_records": [{"sepal_length": 1.0}]})
    assert "missing inputs" in str(refused.value)


def test_url_of_one_served_entity(endpoint: Endpoint) -> None:
    path = "/serving-endpoints/iris/served-models/iris/invocations"

    answer = endpoint.client.post(path, json=ROWS, auth=("token", "token"))

    assert answer.json() == {"predictions": [0, 2]}
