"""A model from its URI to a report: files, environment, workers, predictions."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final, cast

from pelton.batching.entry import Answer
from pelton.environment import artifacts, interpreter
from pelton.environment.finding import Finding, Severity
from pelton.environment.findings import find_in_files
from pelton.environment.imports import importable_modules
from pelton.errors import ConfigError, PeltonError
from pelton.settings import Settings
from pelton.supervisor import memory
from pelton.supervisor.launcher import PoolPlan
from pelton.supervisor.revision import Revision
from pelton.validation import question as questions
from pelton.validation import trial_findings
from pelton.validation.measurement import Measurements, seen
from pelton.validation.question import Question
from pelton.validation.report import Prediction, Report
from pelton.validation.trial import Trial

# MLflow's names for the same; pelton builds with uv whoever asks.
_MODES: Final = {
    "auto": "auto",
    "local": "local",
    "isolated": "isolated",
    "uv": "isolated",
    "virtualenv": "isolated",
    "conda": "isolated",
}


def validate(
    model_uri: str,
    *,
    input_data: Any = None,
    input_path: str | Path | None = None,
    content_type: str = "json",
    output_path: str | Path | None = None,
    env_manager: str = "auto",
    install_mlflow: bool = False,
    pip_requirements_override: Sequence[str] = (),
    settings: Settings | None = None,
    on_progress: Callable[[str], None] = lambda text: None,
) -> Report:
    """Find out whether a model will serve; whatever is wrong with it is in the report.

    The arguments are those of ``mlflow.models.predict``. Works in a notebook too.

    Args:
        model_uri: as for ``pelton serve``.
        input_data: what to predict, as the model's ``predict`` takes it; the model's own input
            example otherwise.
        input_path: a file with a request instead.
        content_type: "json" or "csv".
        output_path: a file for the prediction.
        env_manager: "auto", "local" or "isolated"; MLflow's "uv", "virtualenv" and "conda" mean
            the last.
        install_mlflow: have this process's mlflow version in the model's environment.
        pip_requirements_override: requirements that count before the model's own.
        settings: what it would be served with.
        on_progress: told what is being done.

    Raises:
        ConfigError: an argument is wrong.
    """
    if env_manager not in _MODES:
        raise ConfigError(f"env_manager: {env_manager!r} is none of {', '.join(_MODES)}.")
    asked = questions.given(input_data, input_path, content_type)
    overrides = list(pip_requirements_override)
    if install_mlflow:
        overrides.append(f"mlflow=={metadata.version('mlflow')}")
    settings = settings or Settings()
    settings = replace(
        settings,
        entity=replace(settings.entity, env=_MODES[env_manager], override=tuple(overrides)),
    )
    validation = _Validation(model_uri, asked, settings, on_progress)
    report = _run(validation.run)
    if output_path is not None and report.prediction is not None:
        try:
            Path(output_path).write_text(report.prediction.text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"Cannot write {output_path}: {error.strerror}.") from error
    return report


def _run(main: Callable[[], Any]) -> Report:
    """Run a coroutine function to its end, beside a running loop if there is one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return cast(Report, asyncio.run(main()))
    outcome: list[Report | BaseException] = []

    def work() -> None:
        try:
            outcome.append(asyncio.run(main()))
        except BaseException as error:  # handed over to the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=work, name="pelton-validate")
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


@dataclass
class _Validation:
    """One run. What it has found so far is there whenever it ends."""

    uri: str
    asked: Question | None
    settings: Settings
    on_progress: Callable[[str], None]

    def __post_init__(self) -> None:
        self._in_files: list[Finding] = []
        self._found: list[Finding] = []
        self._measured = Measurements()
        self._source: str | None = None
        self._first: Answer | None = None

    async def run(self) -> Report:
        started = time.monotonic()
        try:
            await self._examine()
        except PeltonError as error:
            finding = trial_findings.of_error(error)
            # What cannot be read cannot be built either: one finding says it.
            if not any(known.message == finding.message for known in self._in_files):
                self._found.append(finding)
        findings = [*self._found, *self._in_files]
        order = list(Severity)
        prediction = None
        if self._first is not None:
            text = bytes(self._first.body).decode("utf-8", "replace")
            about = self._first.about
            prediction = Prediction(about.status, about.media_type, text)
        return Report(
            model=self.uri,
            source=self._source,
            findings=sorted(findings, key=lambda finding: order.index(finding.severity)),
            measurements=self._measured,
            prediction=prediction,
            seconds=time.monotonic() - started,
        )

    def _note(self, **measured: Any) -> None:
        self._measured = replace(self._measured, **measured)

    async def _examine(self) -> None:
        """Do one step after another.

        Raises:
            PeltonError: the rest makes no sense.
        """
        entity = self.settings.entity
        cache_dir = self.settings.updates.cache_dir.expanduser()
        model = await artifacts.resolve(self.uri, cache_dir, on_progress=self.on_progress)
        self._source = model.source
        self.on_progress("looking through the model's files")
        self._in_files = await asyncio.to_thread(find_in_files, model, overrides=entity.override)
        started = time.monotonic()
        found = await interpreter.prepare(
            model,
            mode=cast(interpreter.Mode, entity.env),
            cache_dir=cache_dir,
            on_progress=self.on_progress,
            overrides=entity.override,
        )
        self._note(environment=found.reason, environment_s=time.monotonic() - started)
        if found.isolated:  # in the running environment there may be more than the model asks for
            self._in_files = await asyncio.to_thread(
                find_in_files,
                model,
                overrides=entity.override,
                importable=await importable_modules(found.python),
            )
        revision = Revision(1, self.uri, entity, lambda *_: None)
        revision.model, revision.interpreter = model, found
        question = self.asked or questions.example(model)
        if question is None and model.mlmodel.input_example is not None:
            self._found.append(trial_findings.example_not_asked())
        await self._try(revision, question)

    async def _try(self, revision: Revision, question: Question | None) -> None:
        """Load the model, ask it, have a second worker, and load it once more elsewhere."""
        plan = revision.plan(self.settings, [])
        slots = revision.slots
        self._note(
            workload_type=revision.entity.workload_type,
            budget_bytes=revision.slot_bytes * revision.entity.slots_per_worker,
            slots=slots.slots,
            slots_reason=slots.reason,
        )
        if slots.is_reduced:
            self._found.append(trial_findings.fewer_slots(slots.slots, slots.wanted, slots.reason))
        timeout_s = self.settings.admission.timeout
        async with Trial(plan, self.settings.workers, timeout_s) as trial:
            again = await self._try_workers(trial, revision, question)
        self.on_progress("loading it again in a fresh process")
        try:
            reloaded = await self._reload(plan, question if again is not None else None)
        except PeltonError as error:
            self._found.append(trial_findings.of_reload_error(error))
            return
        if self._first is not None and again is not None and reloaded is not None:
            self._found += trial_findings.of_repetition(self._first, again, reloaded)

    async def _try_workers(
        self, trial: Trial, revision: Revision, question: Question | None
    ) -> Answer | None:
        """Ask one worker and then two; returns the second answer to the question."""
        self.on_progress("loading the model")
        started = time.monotonic()
        report = await trial.start()
        load_s = time.monotonic() - started - report["warmup_s"]
        self._note(**seen(report), load_s=load_s, forked=trial.is_forked)
        self._found += trial_findings.of_warmup(report)
        self._note(used_bytes=report["rss_bytes"])
        try:
            memory.check_fit(
                report["rss_bytes"], revision.slot_bytes, revision.entity.slots_per_worker
            )
        except PeltonError as error:
            self._found.append(trial_findings.of_error(error))
        again = None
        if report["example"] == "refused" and question is not None and question.is_example:
            question = None  # it has been asked, and may be slow
        if question is not None:
            self.on_progress("predicting")
            self._first = await trial.ask(question)
            self._found += trial_findings.of_answer(self._first, is_example=question.is_example)
            again = await trial.ask(question)
            self._note(predictions=await trial.measure(question))
        self._note(one_worker_bytes=trial.memory_bytes())
        self.on_progress("starting a second worker")
        try:
            await trial.grow()
        except PeltonError as error:
            self._found.append(trial_findings.of_second_worker(error))
            return again
        if question is not None:
            await trial.ask(question, times=2)
        self._note(two_workers_bytes=trial.memory_bytes())
        return again

    async def _reload(self, plan: PoolPlan, question: Question | None) -> Answer | None:
        """Load the model in a process of its own, which MLflow's code alone answers from.

        Raises:
            PeltonError: it does not load, or not answer.
        """
        alone = replace(plan, spec=replace(plan.spec, name="reloaded", fast_path=False))
        workers = replace(self.settings.workers, fork="off")
        async with Trial(alone, workers, self.settings.admission.timeout) as trial:
            report = await trial.start()
            self._note(reload_s=report["load_s"])
            return await trial.ask(question) if question is not None else None
