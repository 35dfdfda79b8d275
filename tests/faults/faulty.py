"""An endpoint whose model does to its process what a request says, and notes that it began."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from tests.e2e.endpoint import Endpoint, until
from tests.zoo import build

_CODE = Path(__file__).parent / "code" / "marked.py"


class Faulty(Endpoint):
    """Serves the zoo's ``faults``, one request at a time and as often as it was sent.

    Batches and comparisons of the fast path would make more or fewer predictions than requests,
    and these are counted here.
    """

    def __init__(
        self, *arguments: str, variables: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        self._folders = ExitStack()
        folder = Path(self._folders.enter_context(tempfile.TemporaryDirectory()))
        model = folder / "model"
        shutil.copytree(build("faults"), model)
        (model / "faults.py").rename(model / "unmarked.py")
        shutil.copyfile(_CODE, model / "faults.py")
        self._marks = folder / "marks"
        super().__init__(
            model,
            *("--batching", "off", "--recheck", "0", *arguments),
            variables={"MARKS": str(self._marks), **(variables or {})},
            **options,
        )

    def __exit__(self, *error: Any) -> None:
        with self._folders:
            super().__exit__(*error)

    def do(self, fault: str, argument: float = 0.0, **options: Any) -> httpx.Response:
        return self.ask(ask_for(fault, argument), **options)

    def do_later(self, fault: str, argument: float = 0.0, **options: Any) -> Future[httpx.Response]:
        return self.later(ask_for(fault, argument), **options)

    def begin(self, fault: str, argument: float = 0.0, **options: Any) -> Future[httpx.Response]:
        """Ask in a thread and return once the model is at it."""
        before = self.times_begun(fault, argument)
        answer = self.do_later(fault, argument, **options)
        until(
            lambda: self.times_begun(fault, argument) > before or answer.done(),
            f"{fault} {argument:g} begins",
        )
        return answer

    def hold(self, number: float = 0.0) -> Future[httpx.Response]:
        """Have a slot busy until ``release(number)``."""
        return self.begin("hold", number)

    def release(self, number: float = 0.0) -> None:
        self._marks.with_name(f"{self._marks.name}-{number:g}").touch()

    def queue(self, fault: str, argument: float = 0.0, **options: Any) -> Future[httpx.Response]:
        """Ask in a thread and return once the request waits for a slot."""
        before = self.metric("pelton_queue_requests")
        answer = self.do_later(fault, argument, **options)
        self.until_queued(before + 1)
        return answer

    def until_queued(self, many: float) -> None:
        until(lambda: self.metric("pelton_queue_requests") == many, f"{many:g} requests wait")

    def times_begun(self, fault: str, argument: float = 0.0) -> int:
        """How many predictions of this kind have begun; the warm-up is among them."""
        if not self._marks.exists():
            return 0
        lines = self._marks.read_text().splitlines()
        return sum(line.endswith(f" {fault} {argument:g}") for line in lines)

    def assert_well(self) -> None:
        """A good request is answered, and so is a probe."""
        answer = self.do("none")
        assert answer.status_code == 200, answer.text
        assert self.get("/v2/health/live").status_code == 200


def ask_for(fault: str, argument: float) -> dict[str, Any]:
    """The JSON of a request for a fault."""
    return {"dataframe_split": {"columns": ["fault", "argument"], "data": [[fault, argument]]}}


def assert_problem(answer: httpx.Response, status: int, error_code: str, *words: str) -> None:
    """An error of ours: JSON that Databricks' clients understand, and what to do in it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    problem = answer.json()
    assert problem["error_code"] == error_code
    for word in words:
        assert word in problem["message"]
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
