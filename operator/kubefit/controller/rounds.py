"""How often each chief is asked how far training is: all together, only so often."""

from kubefit.api.names import Phase
from kubefit.controller.worklist import Key

_ASKED_A_SECOND = 20.0
"""Chiefs of jobs that train: with more of them, each has its turn less often."""
_STARTING_A_SECOND = 50.0
"""Chiefs of jobs that do not train yet, or not again."""
_WRITTEN_A_SECOND = 10.0
"""Progress, which costs the API server more than a question costs a chief."""
_AT_LATEST_SECONDS = 60.0
"""Of each job something new is asked and told in that time, however many there are."""


class Rounds:
    """The jobs whose chiefs are asked.

    Those that do not train yet, or not again, go round by themselves: a job that starts among a
    thousand that train says so as soon as one that is alone.
    """

    def __init__(self) -> None:
        self._trains: set[Key] = set()
        self._starts: set[Key] = set()

    def seconds(self, key: Key, phase: Phase | None) -> tuple[float, float]:
        """Between two questions, and between two writes of progress; it takes part from now on."""
        self.leave(key)
        trains = phase is Phase.RUNNING
        group = self._trains if trains else self._starts
        group.add(key)
        asked = len(group) / (_ASKED_A_SECOND if trains else _STARTING_A_SECOND)
        written = len(group) / _WRITTEN_A_SECOND
        return min(asked, _AT_LATEST_SECONDS), min(written, _AT_LATEST_SECONDS)

    def leave(self, key: Key) -> None:
        """Its chief is not asked any more."""
        self._trains.discard(key)
        self._starts.discard(key)
