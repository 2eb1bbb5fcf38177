"""Only the chief fetches; the other workers of a run wait until it says that all is there.

It says so in a file on the volume, the one thing that all of them share before they start.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kubefit.api.base import Model
from kubefit_trainer import report

BEAT_SECONDS = 5.0
POLL_SECONDS = 1.0


class ChiefLostError(Exception):
    """The chief has not been heard of for too long."""


class Turn(Model):
    """How far the chief of a run is."""

    run: str
    beats: Annotated[int, Field(ge=0)] = 0
    """Grows while the chief is at work."""
    done: bool = False


def is_done(file: Path, *, run: str) -> bool:
    """Whether the chief of that run has fetched everything."""
    turn = report.read(file, Turn)
    return turn is not None and turn.run == run and turn.done


@contextmanager
def at_work(file: Path, *, run: str) -> Iterator[None]:
    """The chief's side: others hear of it while it works, and that it is done when it succeeds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    report.write(file, Turn(run=run))
    ended = threading.Event()

    def beat() -> None:
        beats = 0
        while not ended.wait(BEAT_SECONDS):
            beats += 1
            report.write(file, Turn(run=run, beats=beats))

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()
    report.write(file, Turn(run=run, done=True))


def wait(file: Path, *, run: str, patience: float) -> None:
    """The others' side: returns when the chief of that run is done.

    Raises:
        ChiefLostError: nothing was heard of it for `patience` seconds.

    """
    heard, since = report.read(file, Turn), time.monotonic()
    while not is_done(file, run=run):
        if time.monotonic() - since > patience:
            raise ChiefLostError(
                f"spec.fetch: worker 0 has not been heard of for {patience:.0f} s while this worker"
                " waited for what it fetches"
            )
        time.sleep(POLL_SECONDS)
        now = report.read(file, Turn)
        if now != heard:
            heard, since = now, time.monotonic()
