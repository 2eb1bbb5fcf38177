"""What goes wrong while something is fetched, in one sentence without secrets."""

import errno
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubefit_trainer.fetch.sources import Source

_FULL = (errno.ENOSPC, errno.EDQUOT)
_VOLUME = (errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR)
_DENIED = (401, 403)
_MISSING = (404, 410)
_LONGEST = 300


class FetchError(Exception):
    """Something cannot be fetched; one sentence, starting with the path of the field."""

    def __init__(self, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.permanent = permanent
        """Another try would end the same way."""


def said(error: Exception, source: "Source") -> FetchError:
    """The fault in words, whatever library it comes from."""
    if isinstance(error, FetchError):
        return error
    field, name = source.field, source.name
    code = _code(error)
    if isinstance(error, OSError) and error.errno in _FULL:
        return FetchError(f"{field}.to: the job's volume is full; enlarge it or fetch less")
    if isinstance(error, FileNotFoundError) and _is_local(error):
        return FetchError(
            f"{field}.to: {error.filename} went away while {name} was fetched; another job may"
            " fetch it to the same place",
            permanent=False,
        )
    if isinstance(error, FileNotFoundError) or code in _MISSING:
        return FetchError(
            f"{field}.from: there is no {name}, or it is hidden from these credentials"
        )
    if isinstance(error, OSError) and error.errno in _VOLUME:
        return FetchError(f"{field}.to: the volume cannot hold it: {error.strerror}")
    if isinstance(error, PermissionError) and error.filename is not None:
        return FetchError(f"{field}.to: {error.filename} cannot be written: {error.strerror}")
    if isinstance(error, PermissionError) or code in _DENIED or _is_forbidden(error):
        if source.secret:
            return FetchError(
                f"{field}.secretName: the credentials of the Secret {source.fetch.secret_name!r}"
                f" may not read {name}"
            )
        return FetchError(
            f"{field}.from: {name} may not be read without credentials; name a Secret with them in"
            " secretName"
        )
    words = source.without_secrets(f"{type(error).__name__}: {error}".partition("\n")[0])
    return FetchError(
        f"{field}.from: {name} cannot be fetched: {words[:_LONGEST]}",
        permanent=isinstance(error, ValueError | ImportError),
    )


def _is_local(error: OSError) -> bool:
    """Whether it is about a file of this machine; stores name no file, or one without a root."""
    return error.filename is not None and Path(error.filename).is_absolute()


def _code(error: Exception) -> int | None:
    """The status of HTTP that the error carries, under the names that the libraries have for it."""
    response = getattr(error, "response", None)
    for holder, name in ((error, "status"), (error, "code"), (response, "status_code")):
        found = getattr(holder, name, None)
        if str(found).isdecimal():
            return int(str(found))
    return None


def _is_forbidden(error: Exception) -> bool:
    """A bare OSError of gcsfs, or the error of botocore that has no credentials at all."""
    return str(error).startswith("Forbidden:") or type(error).__name__ == "NoCredentialsError"
