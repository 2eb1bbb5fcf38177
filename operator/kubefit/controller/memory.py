"""When Python looks for garbage in what the operator keeps: nearly all is stored objects.

They have no cycles, and to go through those of a thousand jobs takes seconds in which nothing
else is done.
"""

import gc

_THRESHOLDS = 2_000, 10, 15
"""Old objects are gone through after 300,000 new ones, if those are a quarter as many again."""
_ALL_EVERY = 20
"""What has been gone through once is left alone for so many times."""


class Calm:
    """Has the collector go through what is new, and only seldom through all."""

    def __init__(self) -> None:
        self._times = 0

    def start(self) -> None:
        """Takes effect for the whole process."""
        gc.set_threshold(*_THRESHOLDS)
        gc.callbacks.append(self.collecting)

    def collecting(self, phase: str, about: dict[str, int]) -> None:
        """Told by the collector when it starts and stops."""
        if about["generation"] < 2:
            return
        if phase == "stop":
            gc.freeze()
            return
        self._times += 1
        if self._times % _ALL_EVERY == 0:
            gc.unfreeze()
