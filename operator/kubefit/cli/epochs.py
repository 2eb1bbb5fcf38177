"""One line per finished epoch.

A recipe's chief prints the logs of each epoch, which are exact. Of another program only the
reports are known: what was told last before the next epoch began.
"""

import re

from kubefit.cli.progress import Snapshot
from kubefit.cli.screen import epoch_of, numbers

_PRINTED = re.compile(r"epoch=(\d+)/(\d+)((?: \S+=\S+)*)")
_PAIR = re.compile(r"(\S+)=(\S+)")


class Epochs:
    """Turns what a chief prints and tells into lines, each epoch once."""

    def __init__(self) -> None:
        self._printed = False
        self._last: Snapshot | None = None

    def of_output(self, line: str) -> str | None:
        """The line for people, if this line of the chief's output ends an epoch."""
        match = _PRINTED.fullmatch(line.strip())
        if match is None:
            return None
        self._printed = True
        logs = {name: _float(text) for name, text in _PAIR.findall(match[3])}
        seconds, rate = logs.pop("seconds", None), logs.pop("examples_per_second", None)
        told = Snapshot(
            phase="", epoch=int(match[1]), epochs=int(match[2]), logs=logs, examples_per_second=rate
        )
        return _line(told, seconds=seconds)

    def of_snapshot(self, snapshot: Snapshot) -> str | None:
        """The line of the epoch before, if this snapshot is the first of the next."""
        before, self._last = self._last, snapshot
        if self._printed or before is None or before.epoch in (0, snapshot.epoch):
            return None
        return _line(before)

    def end(self) -> str | None:
        """The line of the last epoch."""
        if self._printed or self._last is None or self._last.epoch == 0:
            return None
        return _line(self._last)


def _line(snapshot: Snapshot, *, seconds: float | None = None) -> str:
    parts = [epoch_of(snapshot), numbers(snapshot.logs)]
    if snapshot.examples_per_second:
        parts.append(f"{snapshot.examples_per_second:.0f} samples/s")
    if seconds is not None:
        parts.append(f"{seconds:.1f} s")
    return "  ".join(part for part in parts if part)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
