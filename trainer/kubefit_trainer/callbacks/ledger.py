"""What the time of one trainer went into, from its first step on: pure sums of differences."""

from dataclasses import dataclass

from kubefit.api.contract import Spent


@dataclass(slots=True)
class Ledger:
    """Sorts time as it passes; every moment is in one place, and none is moved later."""

    reached: int = 0
    """Step that earlier attempts have reached: steps up to it are done again."""
    _spent: Spent | None = None
    _at: float = 0.0
    _waited: float = 0.0
    _kept: float = 0.0

    @property
    def spent(self) -> Spent | None:
        """The sums so far; None before the first step."""
        return self._spent

    def pass_time(self, *, now: float, wall: float, step: int, waited: float, kept: float) -> None:
        """Takes in the time since the last call; the first call ends the start.

        Args:
            now: Monotonic time.
            wall: The same in Unix time.
            step: The step that this time went into, or came before; counted over all epochs.
            waited: Seconds that steps have waited for data so far, all together.
            kept: Seconds that training has stood still for checkpoints so far, all together.

        """
        before = self._spent or Spent()
        passed = max(0.0, now - self._at) if self._spent else 0.0
        data = min(passed, max(0.0, waited - self._waited))
        checkpoint = min(passed - data, max(0.0, kept - self._kept))
        worked = passed - data - checkpoint
        again = step <= self.reached
        self._spent = Spent(
            productive=before.productive + (0.0 if again else worked),
            data=before.data + data,
            checkpoint=before.checkpoint + checkpoint,
            lost_work=before.lost_work + (worked if again else 0.0),
            until=wall,
        )
        self._at, self._waited, self._kept = now, waited, kept
