"""What went wrong when a model was looked up or fetched, and what to do about it.

Runs in the child process of ``fetch``. Exceptions are told apart by class name, error code and
status, as the libraries that raise them (requests, botocore, ...) may not be installed.
"""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from pelton.errors import PeltonError

_UNREACHABLE: Final = frozenset(
    {
        "ConnectionError",
        "ConnectTimeout",
        "ConnectTimeoutError",
        "ConnectionRefusedError",
        "EndpointConnectionError",
        "MaxRetryError",
        "NameResolutionError",
        "NewConnectionError",
        "ReadTimeout",
        "ServiceRequestError",
        "TransportError",
    }
)
_NO_CREDENTIALS: Final = frozenset(
    {
        "ClientAuthenticationError",
        "CredentialRetrievalError",
        "DefaultCredentialsError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
    }
)
_DENIED: Final = frozenset(
    {
        "401",
        "403",
        "AccessDenied",
        "ExpiredToken",
        "Forbidden",
        "InvalidAccessKeyId",
        "PERMISSION_DENIED",
        "SignatureDoesNotMatch",
        "UNAUTHENTICATED",
    }
)
_EXTRAS: Final = {
    "botocore": "boto3",
    "google": "google-cloud-storage",
    "azure": "azure-storage-blob",
}
_CREDENTIALS: Final = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or an AWS profile or role",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`",
    "wasbs": "AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCESS_KEY",
    "abfss": "an Azure identity (AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_CLIENT_SECRET)",
    "dbfs": "DATABRICKS_HOST and DATABRICKS_TOKEN, or a profile in ~/.databrickscfg",
}
_LISTED: Final = 8
_LONGEST: Final = 400


def describe(error: BaseException, uri: str, client: Callable[[str], Any]) -> str:
    """Say in one paragraph why ``uri`` failed and what to do next.

    ``client(uri)`` gives a registry client; it is asked what there is instead of a missing model.
    """
    causes = list(_causes(error))
    if isinstance(error, PeltonError):
        return str(error)
    for cause in causes:
        if _is_disk_full(cause):
            return f"no space left on the disk while fetching {uri}; free some, or move the cache"
        if isinstance(cause, ModuleNotFoundError):
            package = _EXTRAS.get((cause.name or "").partition(".")[0], cause.name)
            return f"{uri} needs the package {package}, which is not installed; pip install it"
    names = {name for cause in causes for name in _class_names(cause)}
    codes = {code for cause in causes for code in _codes(cause)}
    if names & _NO_CREDENTIALS or codes & _DENIED:
        return f"access to {uri} was denied ({_first_line(error)}); {_check_credentials(uri)}"
    if names & _UNREACHABLE:
        return (
            f"{_place(uri)} cannot be reached ({_first_line(causes[-1])}); check that it is up, "
            "that the address is right, and the proxy settings (HTTPS_PROXY, NO_PROXY)"
        )
    if uri.startswith("models:") and _is_missing(error, codes):
        return _missing_model(error, uri, client)
    message = f"{uri} cannot be fetched: {_first_line(error)}"
    if uri.startswith(("runs:", "models:")):
        return f"{message}; {_looked_in()}"
    return message


def _missing_model(error: BaseException, uri: str, client: Callable[[str], Any]) -> str:
    """Name what the registry has instead, as far as it can be asked."""
    message = f"{uri} does not exist ({_first_line(error)})"
    path = urlsplit(uri).path.strip("/")
    if path.startswith("m-") and "/" not in path and "@" not in path:
        return f"{message}; {_looked_in()}"
    name = path.split("/")[0].rsplit("@", 1)[0]
    try:
        return f"{message}; {_what_there_is(client(uri), name)}"
    except Exception:  # a registry that cannot list: the first error is the one to report
        return f"{message}; {_looked_in()}"


def _what_there_is(client: Any, name: str) -> str:
    try:
        model = client.get_registered_model(name)
    except Exception:  # each store has its own class for "not found"
        return _near_names(client, name)
    found = client.search_model_versions(f"name='{name}'", max_results=100)
    versions = sorted((int(each.version) for each in found), reverse=True)[:_LISTED]
    aliases = [f"@{alias}" for alias in list(dict(model.aliases))[:_LISTED]]
    if not versions:
        return f"{name} has no versions yet; register one"
    text = f"{name} has the versions {', '.join(map(str, versions))}"
    return text + (f" and the aliases {', '.join(aliases)}" if aliases else " and no aliases")


def _near_names(client: Any, name: str) -> str:
    names = [model.name for model in client.search_registered_models(max_results=200)]
    if not names:
        return f"the registry has no models at all; {_looked_in()}"
    near = difflib.get_close_matches(name, names, _LISTED, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"the registry has {', '.join(sorted(names)[:_LISTED])}; {_looked_in()}"


def _looked_in() -> str:
    registry, tracking = _setting("MLFLOW_REGISTRY_URI"), _setting("MLFLOW_TRACKING_URI")
    if registry or tracking:
        return "looked in " + (registry or tracking)
    return f"MLFLOW_TRACKING_URI is not set, so a store in {os.getcwd()} was asked; set it"


def _place(uri: str) -> str:
    """Name the server behind ``uri``, without its credentials."""
    if uri.startswith(("models:", "runs:", "mlflow-artifacts:")):
        for variable in ("MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI"):
            if value := _setting(variable):
                return f"the MLflow server at {variable}={value}"
        return "the MLflow server"
    return f"the store of {uri}"


def _setting(variable: str) -> str:
    """Return the variable's value with any ``user:password@`` taken out."""
    value = os.environ.get(variable, "")
    if "@" not in value or "://" not in value:
        return value
    scheme, _, rest = value.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _check_credentials(uri: str) -> str:
    wanted = _CREDENTIALS.get(urlsplit(uri).scheme)
    if wanted:
        return f"set {wanted}, and check that they may read it"
    return (
        "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD "
        "(Databricks: DATABRICKS_HOST and DATABRICKS_TOKEN), and check that they may read it; "
        f"{_looked_in()}"
    )


def _is_missing(error: BaseException, codes: set[str]) -> bool:
    text = str(error).lower()
    return bool(codes & {"RESOURCE_DOES_NOT_EXIST", "404"}) or "not found" in text


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from an exception to what first raised."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _class_names(error: BaseException) -> Iterator[str]:
    return (each.__name__ for each in type(error).__mro__)


def _codes(error: BaseException) -> Iterator[str]:
    """Yield what the libraries call the code: MLflow's, an HTTP status, botocore's."""
    yield str(getattr(error, "error_code", ""))
    response = getattr(error, "response", None)
    yield str(getattr(response, "status_code", ""))
    if isinstance(response, dict):
        yield str(response.get("Error", {}).get("Code", ""))
    text = str(error)
    for status in ("401", "403"):
        # mlflow puts the status of its own requests into the text only.
        if f"error code {status}" in text or f"{status} Client Error" in text:
            yield status


def _is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    # mlflow downloads in threads and passes on what they raised as text.
    return os.strerror(errno.ENOSPC) in str(error)


def _first_line(error: BaseException) -> str:
    """Shorten the message to a line; of a list of failures, to the heading and the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    shown = 3 if lines[0].endswith(":") else 1
    text = " ".join(lines[:shown])[:_LONGEST].rstrip(".;")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
