"""Snapshots in the memory of this worker, and those that other workers hold for it."""

import hmac
import http.client
import shutil
import urllib.parse
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from kubefit_trainer.agent import proof
from kubefit_trainer.agent.background import Background
from kubefit_trainer.checkpoints import store

PATH = "/snapshots/"
_TIMEOUT_SECONDS = 60.0
_CHUNK = 1 << 20


class _Version(NamedTuple):
    name: str
    modified: int
    size: int


class Held:
    """The good snapshots of a folder; each is verified once."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self.folder = folder
        self._warn = warn
        self._good: set[_Version] = set()
        self._verifying: Background[list[str]] = Background()

    def names(self) -> list[str] | None:
        """Their names, newest first; None while some are still being read."""
        versions = tuple(v for saved in store.found(self.folder) if (v := _version(saved.path)))
        told = self._verifying.answer(
            versions, lambda: [version.name for version in versions if self._is_good(version)]
        )
        return told.value if told else None

    def drop_after(self, step: int) -> None:
        """Removes those that an attempt which goes on from that step will make anew."""
        for saved in store.found(self.folder):
            if saved.step > step:
                saved.path.unlink(missing_ok=True)

    def _is_good(self, version: _Version) -> bool:
        path = self.folder / version.name
        try:
            if version not in self._good:
                store.verify(path)
                self._good.add(version)
        except store.DamagedError as error:
            if path.exists():
                self._warn(f"{error}; it is not used")
                path.unlink(missing_ok=True)
            return False
        return True


def _version(path: Path) -> _Version | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        # It was pruned meanwhile.
        return None
    return _Version(path.name, stat.st_mtime_ns, stat.st_size)


def bring(name: str, holders: Sequence[str], folder: Path, *, token: str) -> str | None:
    """Path of a snapshot, fetched from the first of those agents (`host:port`) that gives it."""
    path = folder / name
    if path.exists():
        return str(path)
    # Another one may still be on its way for a generation that is over.
    partial = folder / f".partial-{name}.{uuid.uuid4().hex}"
    for holder in holders:
        try:
            _download(holder, name, partial, token)
            store.verify(partial)
            partial.replace(path)
        except (OSError, http.client.HTTPException, store.DamagedError):
            partial.unlink(missing_ok=True)
        else:
            return str(path)
    return None


def give(file: IO[bytes], write: Callable[[bytes], object], proven: hmac.HMAC) -> None:
    """Sends a snapshot, and after it the proof of all of it."""
    while chunk := file.read(_CHUNK):
        proven.update(chunk)
        write(chunk)
    write(proven.hexdigest().encode())


def _download(holder: str, name: str, path: Path, token: str) -> None:
    host, _, port = holder.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_TIMEOUT_SECONDS)
    try:
        nonce, asked = proof.nonce(), PATH + urllib.parse.quote(name)
        shown = proof.of_request(token, nonce, "GET", asked)
        connection.request("GET", asked, headers={proof.NONCE: nonce, proof.PROOF: shown})
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise OSError(f"{holder} answered {answer.status}")
        # It may not be an agent of this job: what is proven comes last.
        if answer.length is None or answer.length > shutil.disk_usage(path.parent).free:
            raise OSError(f"{holder} gives more than there is room for, or does not say how much")
        with path.open("wb") as file:
            _take(answer, answer.length, file, proof.of_answer(token, nonce))
    finally:
        connection.close()


def _take(
    answer: http.client.HTTPResponse, length: int, file: IO[bytes], proven: hmac.HMAC
) -> None:
    """Writes what `give` has sent, in so many bytes.

    Raises:
        OSError: it is not proven, or ends too early.

    """
    left = length - proof.LENGTH
    while left > 0:
        chunk = answer.read(min(left, _CHUNK))
        if not chunk:
            raise OSError("the snapshot ends too early")
        proven.update(chunk)
        file.write(chunk)
        left -= len(chunk)
    if not proof.holds(answer.read(proof.LENGTH).decode("latin-1"), proven.hexdigest()):
        raise OSError("the snapshot is not from an agent of this job")
