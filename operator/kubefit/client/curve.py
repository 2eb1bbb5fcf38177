"""The curve of a training, read from what its chief prints: one mapping per epoch.

Recipes print a line per epoch for programs; of a program of the user's own the lines of Keras are
read, whatever its `verbose`. Pure functions of lines.
"""

import math
import re
from collections.abc import Iterable, Iterator

_LINE = re.compile(r"epoch=(\d+)/(\d+)((?: \S+=\S+)*)")
_PAIR = re.compile(r"(\S+)=(\S+)")
_KERAS_EPOCH = re.compile(r"Epoch (\d+)/\d+")
_OPEN = "Unknown"
"""What Keras writes for a number of steps that it does not know."""
_KERAS_STEPS = re.compile(rf"(\d+)/(\d+|{_OPEN})\s.*?((?: - [^\s:]+: [-+.\w]+)+)")
_KERAS_PAIR = re.compile(r" - ([^\s:]+): ([-+.\w]+)")
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")

Epoch = dict[str, float]
"""`epoch` from 1, and what was measured in it."""


def curve_of(lines: Iterable[str], *, over: bool = True) -> list[Epoch]:
    """The epochs that these lines tell of, in order; of one that was done again, the last time.

    Numbers that are none are NaN. An epoch that is not over is not there, as far as it can be seen:
    Keras' progress bar is full before the metrics of validation are there. A bar without an end
    counts once the next epoch begins, or at the end of the lines where the training is `over`.
    """
    printed: dict[int, Epoch] = {}
    shown: dict[int, Epoch] = {}
    epoch, open_bar = 0, None
    for line in _plain(lines):
        match = _LINE.fullmatch(line)
        if match:
            found = {name: _float(text) for name, text in _PAIR.findall(match[3])}
            printed[int(match[1])] = {"epoch": float(match[1]), **found}
        elif match := _KERAS_EPOCH.fullmatch(line):
            following = int(match[1])
            if open_bar and following == epoch + 1:
                shown[epoch] = open_bar
            epoch, open_bar = following, None
        elif epoch and (match := _KERAS_STEPS.fullmatch(line)) and match[2] in (match[1], _OPEN):
            found = {name: _float(text) for name, text in _KERAS_PAIR.findall(match[3])}
            measured = {"epoch": float(epoch), **found}
            if match[2] == _OPEN:
                open_bar = measured
            else:
                shown[epoch], open_bar = measured, None
    if over and open_bar:
        shown[epoch] = open_bar
    chosen = printed or shown
    return [chosen[number] for number in sorted(chosen)]


def _plain(lines: Iterable[str]) -> Iterator[str]:
    """Lines without colours; a bar that was drawn over and over again is many lines."""
    for line in lines:
        for part in re.split(r"[\r\x08]+", line):
            yield _CONTROL.sub("", part).strip()


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
