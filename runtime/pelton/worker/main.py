"""A worker's life from its start to the end of its loop; the fork server's too."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import socket
import sys
import time
import traceback

from pelton import platform
from pelton.channel.bodies import BodyReader
from pelton.channel.messages import (
    EXIT_DRAINED,
    EXIT_LOAD_FAILED,
    EXIT_LOST_PARENT,
    EXIT_WARMUP_FAILED,
    Kind,
    LoadSpec,
    json_frame,
)
from pelton.channel.server import ChannelServer
from pelton.errors import WarmupFailed
from pelton.worker.loop import Loop
from pelton.worker.model import LoadedModel
from pelton.worker.warmup import warm_up

_KEPT_BYTES = 64 * 1024 * 1024  # a batch of bodies of 2 MB, its arrays and the model's


def main(argv: list[str]) -> int:
    """Run a worker, or with ``--template`` a fork server; returns the exit status."""
    parser = argparse.ArgumentParser(prog="pelton worker")
    parser.add_argument("--channel", type=int, required=True, help="socketpair descriptor")
    parser.add_argument("--lifeline", type=int, required=True, help="pipe from the server")
    parser.add_argument("--template", action="store_true", help="be a fork server")
    parser.add_argument("--preload", action="append", default=[], help="module to import early")
    args = parser.parse_args(argv)

    for fd in (args.channel, args.lifeline):
        os.set_inheritable(fd, False)  # the model's own subprocesses must not hold them open
    platform.die_with_lifeline(args.lifeline)
    unbuffer_output()
    channel = ChannelServer(socket.socket(fileno=args.channel))
    channel.send([json_frame(Kind.CONNECTED, {"pid": os.getpid(), "python": sys.version})])
    if args.template:
        from pelton.worker.forkserver import ForkServer

        platform.name_process("pelton-libs")
        import_libraries(args.preload)
        return ForkServer(channel).run()
    load_frame = next(iter(channel), None)
    if load_frame is None:
        return EXIT_LOST_PARENT
    spec = LoadSpec.from_frame(load_frame)
    platform.name_process(spec.name)
    try:
        model = LoadedModel.load(spec)
    except BaseException as error:
        report_failure(channel, "load", error)
        return EXIT_LOAD_FAILED
    channel.send([json_frame(Kind.LOADED, model.report())])
    return serve(channel, spec, model)


def serve(channel: ChannelServer, spec: LoadSpec, model: LoadedModel) -> int:
    """Warm up and answer requests until drained; returns the exit status."""
    started = time.monotonic()
    try:
        answerer, report = warm_up(model, spec)
    except BaseException as error:
        report_failure(channel, "warm-up", error)
        return EXIT_WARMUP_FAILED
    bodies = BodyReader.open(spec.bodies)
    report["shares_bodies"] = bodies is not None
    report["warmup_s"] = time.monotonic() - started
    channel.send([json_frame(Kind.WARMED, report)])
    platform.keep_freed_memory(_KEPT_BYTES)  # now, as what loading has freed is not needed again
    Loop(channel, answerer, spec.slots, bodies, spec.real_time).run()
    return EXIT_DRAINED


def unbuffer_output() -> None:
    """Make what the model prints appear line by line; stdout is a pipe."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="backslashreplace")


def import_libraries(names: list[str]) -> None:
    """Import what a model will need, before anybody has said which one to load."""
    for name in ("mlflow.pyfunc.scoring_server", *names):
        with contextlib.suppress(ImportError):  # loading says so, with a place to say it
            importlib.import_module(name)


def report_failure(channel: ChannelServer, stage: str, error: BaseException) -> None:
    """Tell the server why there will be no worker; the model's own traceback goes along."""
    trace = "" if isinstance(error, WarmupFailed) else traceback.format_exc()
    message = str(error) or type(error).__name__
    if not isinstance(error, WarmupFailed):
        message = f"{type(error).__name__}: {message}"
    try:
        report = {"stage": stage, "message": message, "traceback": trace}
        channel.send([json_frame(Kind.FAILED, report)])
    except OSError:
        print(trace, file=sys.stderr)  # noqa: T201 - the server is gone; the log is all there is
