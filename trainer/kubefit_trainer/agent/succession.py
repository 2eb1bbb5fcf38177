"""Who speaks for each rank: one agent at a time, and each of its reports counts once.

Reports come late, and whoever listens can send them again: an agent that another one has followed
is not heard any more, however long the one that followed it is silent.
"""

from dataclasses import dataclass, field

from kubefit_trainer.agent.messages import Report


@dataclass(frozen=True, slots=True)
class _Last:
    report: Report
    time: float


@dataclass(slots=True)
class Succession:
    """The agents that have spoken for each rank; times are seconds, given by the caller."""

    lost_seconds: float
    """Who is silent for so long gives way to an agent that seems to have begun before."""
    _last: dict[int, _Last] = field(default_factory=dict)
    _followed: set[str] = field(default_factory=set)

    def counts(self, report: Report, *, now: float) -> bool:
        """Whether a report tells something new; if so, none that was made before it counts."""
        if report.incarnation in self._followed:
            return False
        last = self._last.get(report.rank)
        if last is not None:
            if self._is_overtaken(report, last, now):
                return False
            if report.incarnation != last.report.incarnation:
                self._followed.add(last.report.incarnation)
        self._last[report.rank] = _Last(report, now)
        return True

    def _is_overtaken(self, report: Report, last: _Last, now: float) -> bool:
        if report.incarnation == last.report.incarnation:
            return report.number <= last.report.number
        # Clocks of nodes differ: that it began before is believed of an agent only for a while.
        return report.began < last.report.began and now - last.time <= self.lost_seconds
