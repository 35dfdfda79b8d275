"""From a model URI to a directory on this machine that holds the model's files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pelton.environment.cache import Cache, Lease, Writer
from pelton.environment.fetcher import Fetcher
from pelton.environment.mlmodel import MLmodel, read_mlmodel
from pelton.environment.uri import local_path, names_fixed_version
from pelton.errors import ModelUriError


@dataclass(frozen=True)
class LocalModel:
    """A model whose files are here.

    Attributes:
        path: the directory with ``MLmodel``; not to be written to.
        uri: as the user gave it.
        source: what it stood for when it was resolved: ``models:/name/3``, or an absolute path.
        name: the registered model's name.
        version: the registered model's version.
        run_id: the run that logged it.
        mlmodel: what the model says of itself.
        lease: keeps a downloaded copy from being pruned for as long as this object lives.
    """

    path: Path
    uri: str
    source: str
    name: str | None
    version: str | None
    run_id: str | None
    mlmodel: MLmodel
    lease: Lease | None = field(default=None, repr=False, compare=False)


def models(cache_dir: Path) -> Cache:
    """Return the cache of downloaded models, to list and prune."""
    return Cache(cache_dir.expanduser().absolute() / "models")


async def resolve(
    uri: str,
    cache_dir: Path,
    *,
    on_progress: Callable[[str], None],
    timeout_s: float | None = None,
    fetcher: Fetcher | None = None,
) -> LocalModel:
    """Find the model ``uri`` and bring its files here.

    A local directory is used in place. Anything else is downloaded below ``cache_dir`` once; a
    copy is taken again for as long as the store's listing and the small files say it is the same.

    Args:
        fetcher: a running one to use, which saves the seconds that importing mlflow takes.
        timeout_s: limit of each of the two steps, looking up and downloading.

    Raises:
        ModelUriError: with what to do next. If cancelled, the download's processes are killed and
            what they wrote is removed.
    """
    path = local_path(uri)
    if path is not None:
        return _in_place(uri, path)
    if fetcher is not None:
        return await _fetch(uri, cache_dir, fetcher, on_progress, timeout_s)
    async with Fetcher() as own:
        return await _fetch(uri, cache_dir, own, on_progress, timeout_s)


async def resolve_version(
    uri: str, *, fetcher: Fetcher | None = None, timeout_s: float | None = 60.0
) -> str:
    """Return ``uri`` with its alias, stage or ``latest`` replaced by the version it means now.

    Two equal answers mean the same model. Costs nothing if there is no such thing in ``uri``; else
    one or two requests to the registry, and seconds of importing mlflow without a ``fetcher``.

    Raises:
        ModelUriError: it does not exist, or the registry cannot be asked.
    """
    if (path := local_path(uri)) is not None:
        return str(path)
    if names_fixed_version(uri):
        return uri
    if fetcher is None:
        async with Fetcher() as own:
            return await resolve_version(uri, fetcher=own, timeout_s=timeout_s)
    found: str = await fetcher.ask("version", uri, on_progress=_quietly, timeout_s=timeout_s)
    return found


def _in_place(uri: str, path: Path) -> LocalModel:
    mlmodel = read_mlmodel(path)
    return LocalModel(path, uri, os.fspath(path), None, None, mlmodel.run_id, mlmodel)


async def _fetch(
    uri: str,
    cache_dir: Path,
    fetcher: Fetcher,
    on_progress: Callable[[str], None],
    timeout_s: float | None,
) -> LocalModel:
    on_progress(f"looking up {uri}")
    found = await fetcher.ask("locate", uri, on_progress=on_progress, timeout_s=timeout_s)
    source: str = found["source"]

    async def download(writer: Writer) -> None:
        path = await fetcher.ask(
            "download",
            source,
            on_progress=on_progress,
            timeout_s=timeout_s,
            into=os.fspath(writer.path / "files"),
            size_bytes=found["size_bytes"],
        )
        writer.facts.update(source=source, path=str(Path(path).relative_to(writer.path)))

    # Two registries may use the same names: where it was looked up is part of the key.
    place = (os.environ.get("MLFLOW_TRACKING_URI"), os.environ.get("MLFLOW_REGISTRY_URI"))
    key = hashlib.sha256(repr((found["fingerprint"], place)).encode()).hexdigest()[:32]
    try:
        entry = await models(cache_dir).obtain(
            key, download, on_wait=lambda: on_progress("waiting: another process downloads it")
        )
    except OSError as error:
        raise ModelUriError(
            f"cannot keep {source} in {cache_dir} ({error.strerror}); check the disk's space and "
            "permissions, or move the cache"
        ) from error
    path = entry.path / entry.facts["path"]
    mlmodel = read_mlmodel(path)
    return LocalModel(
        path=path,
        uri=uri,
        source=source,
        name=found["name"],
        version=found["version"],
        run_id=found["run_id"] or mlmodel.run_id,
        mlmodel=mlmodel,
        lease=entry.lease,
    )


def _quietly(_: str) -> None:
    """Report progress to nobody."""
