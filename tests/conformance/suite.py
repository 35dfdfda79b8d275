"""One run of the suite: for each model, oracle, subject, cases, comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.conformance.cases import all_cases
from tests.conformance.comparison import Mismatch, compare
from tests.conformance.differences import DIFFERENCES, Difference
from tests.conformance.oracle import Recording, recordings
from tests.conformance.server import NotServing, mlflow_server, pelton_server
from tests.conformance.wire import Address, ask_all
from tests.zoo import build


@dataclass(frozen=True)
class Subject:
    """Who is asked: ``pelton``, ``mlflow``, or the base URL of a server that runs already."""

    name: str = "pelton"
    arguments: str = ""
    concurrency: int = 1
    ulp: float = 0.0
    rounds: int = 1
    """How often all cases are sent, each time in another order if several are in flight."""

    @property
    def differences(self) -> tuple[Difference, ...]:
        """MLflow itself has no excuse."""
        return () if self.name == "mlflow" else DIFFERENCES

    def serve(self, model: str) -> AbstractContextManager[Address]:
        if self.name == "pelton":
            return pelton_server(build(model), self.arguments)
        if self.name == "mlflow":
            return mlflow_server(build(model))
        url = urlsplit(self.name)
        if url.hostname is None or url.port is None:
            raise ValueError(f"not pelton, mlflow or a URL with a port: {self.name}")
        return nullcontext((url.hostname, url.port))


@dataclass(frozen=True)
class Outcome:
    """What became of the cases of one model."""

    model: str
    cases: int
    mismatches: tuple[Mismatch, ...]
    failure: str | None = None

    @property
    def agrees(self) -> bool:
        return not self.mismatches and self.failure is None


def run(models: Iterable[str], subject: Subject, jobs: int = 1) -> Iterator[Outcome]:
    """Outcomes in the order of the models, ``jobs`` of them in work at a time."""
    recorded = recordings(models)
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda model: _run_model(model, recorded[model], subject), recorded)


def _run_model(model: str, recording: Recording, subject: Subject) -> Outcome:
    cases = all_cases()[model]
    asked = len(cases) * subject.rounds
    try:
        with subject.serve(model) as address:
            rounds = [
                ask_all(address, cases, subject.concurrency, seed) for seed in range(subject.rounds)
            ]
    except NotServing as error:
        return Outcome(model, asked, (), str(error))
    compared = (
        compare(
            model,
            case,
            recording[case.name],
            answers[case.name],
            subject.differences,
            subject.ulp,
        )
        for answers in rounds
        for case in cases
    )
    return Outcome(model, asked, tuple(m for m in compared if m is not None))
