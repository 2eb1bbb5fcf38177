"""Where something fetched goes, and how it gets there whole or not at all.

Beside the files of the user the volume has a folder of ours for each place. It holds what is half
done, and a record of what lies at the place. Files are complete once they have their name.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from kubefit.api.base import Model
from kubefit_trainer import report
from kubefit_trainer.fetch.faults import FetchError

_FOLDER = ".kubefit/fetch"


class Record(Model):
    """What lies at a place."""

    source: str
    """`Source.name`: signatures are not kept, and those of another day lead to the same."""
    endpoint: str | None = None
    version: str = ""
    """`Listing.version`."""
    sha256: str | None = None
    """Of a single file."""
    files: int = 0
    placed: bool = False
    """False while it is being put there."""


class Place:
    """A path on the volume that belongs to `spec.fetch`."""

    def __init__(self, volume: Path, to: str, *, field: str) -> None:
        """Nothing is made yet."""
        self.volume = volume
        self.path = volume / to
        self.field = field
        self._state = volume / _FOLDER / hashlib.sha256(to.encode()).hexdigest()[:16]
        self._record_file = self._state / "record.json"
        self._own: Path | None = None
        """Folder for what is half done that no other process uses; None under a lock."""

    def close(self) -> None:
        """Removes what no other process can go on with."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    @contextlib.contextmanager
    def locked(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Keeps other jobs from fetching the same at once.

        Where the volume knows no locks, each process has a folder of its own for what is half done:
        two jobs may do the same work twice, and none goes on with what was broken off.
        """
        self._state.mkdir(parents=True, exist_ok=True)
        with (self._state / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tell(f"{self.path}: waits for another job that fetches it")
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError:
                tell(f"{self.path}: the volume knows no locks; goes on without")
                self._own = self._own or self._state / f"own-{uuid.uuid4().hex}"
            yield

    def record(self) -> Record | None:
        """What lies at the place; None when nothing that was fetched does.

        Raises:
            FetchError: something lies there that was not fetched.

        """
        found = report.read(self._record_file, Record)
        if not os.path.lexists(self.path):
            return None
        if found is None:
            raise FetchError(
                f"{self.field}.to: {self.path} is there already and was not fetched; take it away"
                " or choose another place"
            )
        return found if found.placed else None

    def staging(self, version: str) -> Path:
        """The folder for what is half done of that version; that of other versions is removed."""
        folder = self._own or self._state
        name = f"staging-{version[:16]}"
        for entry in folder.glob("staging-*"):
            if entry.name != name:
                shutil.rmtree(entry, ignore_errors=True)
        (folder / name).mkdir(parents=True, exist_ok=True)
        return folder / name

    def put(self, content: Path, record: Record) -> None:
        """Moves what was fetched to its place, in place of what was fetched there before.

        A file takes the place of a file in one step; what is or was a folder leaves a moment
        between, in which nothing is there.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        report.write(self._record_file, record.model_copy(update={"placed": False}))
        old = self._state / "old"
        _remove(old)
        if os.path.lexists(self.path) and (self.path.is_dir() or content.is_dir()):
            self.path.rename(old)
        content.replace(self.path)
        report.write(self._record_file, record.model_copy(update={"placed": True}))
        _remove(old)


def _remove(path: Path) -> None:
    """A file, a link or a whole folder; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
