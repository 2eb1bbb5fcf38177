"""Snapshots in the memory of this worker, and those that other workers hold for it."""

import http.client
import shutil
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path

from kubefit_trainer.checkpoints import store

PATH = "/snapshots/"
_TIMEOUT_SECONDS = 60.0


class Held:
    """The good snapshots of a folder; each is verified once."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self.folder = folder
        self._warn = warn
        self._good: set[tuple[str, int, int]] = set()

    def names(self) -> list[str]:
        """Their names, newest first."""
        return [saved.path.name for saved in store.found(self.folder) if self._is_good(saved.path)]

    def drop_after(self, step: int) -> None:
        """Removes those that an attempt which goes on from that step will make anew."""
        for saved in store.found(self.folder):
            if saved.step > step:
                saved.path.unlink(missing_ok=True)

    def _is_good(self, path: Path) -> bool:
        try:
            stat = path.stat()
            version = (path.name, stat.st_mtime_ns, stat.st_size)
            if version not in self._good:
                store.verify(path)
                self._good.add(version)
        except FileNotFoundError:
            # It was pruned meanwhile.
            return False
        except store.DamagedError as error:
            if path.exists():
                self._warn(f"{error}; it is not used")
                path.unlink(missing_ok=True)
            return False
        return True


def bring(name: str, holders: Sequence[str], folder: Path, *, token: str) -> Path | None:
    """Fetches a snapshot from the first of those agents (`host:port`) that gives it, whole."""
    path = folder / name
    if path.exists():
        return path
    for holder in holders:
        try:
            _download(holder, name, path, token)
            store.verify(path)
        except (OSError, http.client.HTTPException, store.DamagedError):
            path.unlink(missing_ok=True)
        else:
            return path
    return None


def _download(holder: str, name: str, path: Path, token: str) -> None:
    host, _, port = holder.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_TIMEOUT_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {token}"}
        connection.request("GET", PATH + urllib.parse.quote(name), headers=headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise OSError(f"{holder} answered {answer.status}")
        new = path.with_name(f".partial-{name}")
        with new.open("wb") as file:
            shutil.copyfileobj(answer, file, 1 << 20)
        new.replace(path)
    finally:
        connection.close()
