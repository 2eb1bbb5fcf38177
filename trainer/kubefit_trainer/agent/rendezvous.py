"""Where the members of a job meet: a pure state machine, hosted by the agent of worker 0.

A generation is one set of trainer processes; its number is that of the attempt. There is at most
one. It ends for all when one member fails, falls silent or is replaced, and the next one begins
when every member that is needed is there and free.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from kubefit.api.contract import Cause, ExitCode, Failure, is_secondary
from kubefit_trainer.agent import policy, watching
from kubefit_trainer.agent.messages import Action, Directive, Member, Report
from kubefit_trainer.agent.policy import Attempt, Failed
from kubefit_trainer.agent.succession import Succession
from kubefit_trainer.checkpoints import store

LOST_SECONDS = 15.0
"""A member that is silent for so long is gone; its own agent has ended its trainer before."""
_STOP_SECONDS = 30.0
"""How long trainers that are to stop may take to keep their state together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the job allows."""

    workers: int
    min_workers: int | None = None
    """Fewer than `workers` may train while others are missing, if this is set."""
    shrink_after_seconds: float = 60.0
    max_restarts: int = 3
    restart_window_seconds: float = 3600.0


class Phase(Enum):
    """What the members do together."""

    GATHERING = auto()
    RUNNING = auto()
    ENDING = auto()
    """The generation has failed or is to stop; its trainers have not all ended."""
    FINISHED = auto()
    FAILED = auto()


@dataclass(slots=True)
class _Seen:
    report: Report
    time: float
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class _Group:
    incarnations: dict[int, str]
    """By completion index, in the order of ranks."""
    addresses: list[str]
    restore: str
    holders: list[str]

    @property
    def members(self) -> list[int]:
        return list(self.incarnations)


@dataclass(frozen=True, slots=True)
class Origin:
    """A snapshot that a generation can go on from."""

    step: int
    name: str
    """Of its file in memory, or its path on the volume."""


@dataclass(slots=True)
class Rendezvous:
    """State of the meeting; times are monotonic seconds, given by the caller."""

    limits: Limits
    run: str
    attempts: list[Attempt]
    """Those before, of this run and others; grows."""
    began: float
    """When this object was made."""
    job: str = ""
    """uid of the Job whose pods these members are in."""
    meeting: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Random, another one for every such object: who does not repeat it has not heard of it."""
    phase: Phase = Phase.GATHERING
    generation: int = 0
    cause: Cause | None = None
    """Why the generation before has failed; of the job, once it has."""
    _succession: Succession = field(default_factory=lambda: Succession(LOST_SECONDS))
    _seen: dict[int, _Seen] = field(default_factory=dict)
    _group: _Group | None = None
    _failures: dict[int, Failed] = field(default_factory=dict)
    _stopping: bool = False
    _dump: bool = False
    _told: set[int] = field(default_factory=set)
    _dismissed: set[str] = field(default_factory=set)
    """Incarnations that a smaller number of workers has no place for."""
    _ending_since: float = 0.0
    _not_before: float = 0.0
    _gathering_since: float = 0.0

    def __post_init__(self) -> None:
        self.generation = max((a.number for a in self.attempts), default=0)
        self._gathering_since = self.began

    @property
    def restarts(self) -> int:
        """Restarts of this run that were charged."""
        return sum(a.charged for a in self.attempts if a.run == self.run)

    @property
    def has_trained(self) -> bool:
        """Whether an attempt of this Job has made a step."""
        return any(a.last_step > a.first_step for a in self.own if a.job == self.job)

    def hear(self, report: Report, *, now: float, wall: float, address: str, agent: str) -> None:
        """Takes in what a member says; `wall` is Unix time.

        `address` is where its trainer's TensorFlow server will be, `agent` where its agent is.
        """
        if report.meeting != self.meeting or not self._succession.counts(report, now=now):
            return
        is_new = report.incarnation not in self._dismissed and not report.leaving
        if is_new and self.limits.workers <= report.rank < report.workers:
            # It was made for more workers than this agent has heard of yet.
            self.resize(report.workers)
        self._seen[report.rank] = _Seen(report, now, address, agent)
        if self.phase is not Phase.RUNNING or self._group is None:
            return
        expected = self._group.incarnations.get(report.rank)
        if expected is not None and expected != report.incarnation:
            self._lost(report.rank, "was replaced", now, wall)

    def resize(self, workers: int) -> None:
        """Another number of workers is asked for."""
        if workers != self.limits.workers:
            self.limits = _with_workers(self.limits, workers)
            over = [seen for rank, seen in self._seen.items() if rank >= workers]
            self._dismissed |= {seen.report.incarnation for seen in over}
            for rank in [rank for rank in self._seen if rank >= workers]:
                if self._group is None or rank not in self._group.incarnations:
                    del self._seen[rank]

    def look(self, *, now: float, wall: float) -> None:
        """Draws the conclusions of time and of all reports."""
        if self.phase is Phase.RUNNING:
            self._ending_since = now
            self._look_at_running(now, wall)
        if self.phase is Phase.ENDING:
            self._look_at_ending(now, wall)
        self._look_at_leaving(wall)

    def _look_at_running(self, now: float, wall: float) -> None:
        group = self._group
        if group is None:
            return
        done = 0
        for rank in group.incarnations:
            seen = self._seen[rank]
            report = seen.report
            if now - seen.time > LOST_SECONDS:
                self._lost(rank, f"has not been heard of for {LOST_SECONDS:g} s", now, wall)
            elif report.state is Member.ENDED and report.generation == self.generation:
                if report.failure is not None:
                    self._failures[rank] = Failed(rank, report.failure, report.ended)
                    self.phase = Phase.ENDING
                done += report.failure is None
            elif report.stalled and report.state is Member.RUNNING:
                steps = {member: self._seen[member].report.step for member in group.members}
                message = report.stalled + watching.behind(steps)
                failure = Failure(exit_code=ExitCode.STALLED, message=message)
                self._failures[rank] = Failed(rank, failure, wall)
                self.phase, self._dump = Phase.ENDING, True
        if done == len(group.incarnations):
            self._close_attempt(wall, cause=None)
            self.phase = Phase.FINISHED
        elif self.phase is Phase.RUNNING and self._wants_another_size(now):
            self._stopping = True

    def _look_at_leaving(self, wall: float) -> None:
        """Waiting for another attempt ends when worker 0 is told to stop."""
        chief = self._seen.get(0)
        if self.phase is not Phase.GATHERING or chief is None or not chief.report.leaving:
            return
        own = [a for a in self.attempts if a.run == self.run]
        if own and own[-1].left is None:
            self.attempts[-1] = own[-1].model_copy(update={"left": wall})

    def _wants_another_size(self, now: float) -> bool:
        if self._group is None:
            return False
        members = set(self._group.incarnations)
        if any(self._seen[rank].report.generation < self.generation for rank in members):
            # Only a trainer that has begun can be stopped.
            return False
        wanted = set(range(self.limits.workers))
        return bool(members - wanted) or (
            members != wanted and wanted <= self._available(now) | members
        )

    def _lost(self, rank: int, how: str, now: float, wall: float) -> None:
        self.phase, self._ending_since = Phase.ENDING, now
        failure = Failure(exit_code=ExitCode.PEER_LOST, message=f"the agent of worker {rank} {how}")
        # What it said itself before it went says more.
        self._failures.setdefault(rank, Failed(rank, failure, wall))

    def _look_at_ending(self, now: float, wall: float) -> None:
        group = self._group
        if group is None:
            return
        for rank, incarnation in group.incarnations.items():
            seen = self._seen.get(rank)
            if seen is None or seen.report.incarnation != incarnation:
                continue
            report = seen.report
            if report.generation == self.generation and report.state is Member.ENDED:
                if report.failure is not None:
                    known = self._failures.get(rank)
                    if known is None or is_secondary(known.failure.exit_code):
                        self._failures[rank] = Failed(rank, report.failure, report.ended)
            elif not self._gone(seen, now):
                return
        self._decide(now, wall)

    def _gone(self, seen: _Seen, now: float) -> bool:
        """Whether a member of a generation that ends has no trainer of it, and will have none."""
        if now - seen.time > LOST_SECONDS:
            return True
        # What it said before may have been answered by an order to begin.
        return seen.report.state is not Member.RUNNING and seen.time > self._ending_since

    def _decide(self, now: float, wall: float) -> None:
        cause = policy.first_cause(self._failures.values(), attempt=self.generation)
        self.cause = cause
        self._close_attempt(wall, cause=cause)
        verdict = policy.verdict(
            [a for a in self.attempts if a.run == self.run],
            now=wall,
            max_restarts=self.limits.max_restarts,
            window_seconds=self.limits.restart_window_seconds,
        )
        self._group, self._stopping, self._dump = None, False, False
        self._gathering_since = now
        self._not_before = now + verdict.delay_seconds
        if verdict.restart:
            self.phase = Phase.GATHERING
        else:
            self.phase, self.cause = Phase.FAILED, verdict.cause

    @property
    def own(self) -> list[Attempt]:
        """Attempts of this run, the one under way as far as its members have told."""
        own = [a for a in self.attempts if a.run == self.run]
        if own and own[-1].ended is None:
            own[-1] = self._so_far(own[-1])
        return own

    def _so_far(self, attempt: Attempt) -> Attempt:
        steps = [s.report.step for s in self._seen.values()]
        chief = self._seen.get(self._group.members[0]) if self._group else None
        told = chief is not None and chief.report.generation == attempt.number
        return attempt.model_copy(
            update={
                "last_step": max(attempt.last_step, *steps, 0),
                "spent": (chief.report.spent if chief and told else None) or attempt.spent,
            }
        )

    def _close_attempt(self, wall: float, *, cause: Cause | None) -> None:
        self.attempts[-1] = self._so_far(self.attempts[-1]).model_copy(
            update={
                "ended": wall,
                "cause": cause,
                "charged": cause is not None and policy.is_charged(cause),
            }
        )

    def close_left_open(self, wall: float) -> None:
        """An attempt that nobody has ended, because the agent of worker 0 went away with it."""
        if self.attempts and self.attempts[-1].ended is None:
            message = "the agent of worker 0 went away"
            failure = Failure(exit_code=ExitCode.PEER_LOST, message=message)
            number = self.attempts[-1].number
            cause = policy.first_cause([Failed(0, failure, wall)], attempt=number)
            last = self.attempts[-1]
            resumed = last.resumed_by(self.job)
            # What another run of this name left open, or a suspension, is no failure of this one.
            self.cause = cause if last.run == self.run and not resumed else None
            if resumed:
                # Nobody has held anything since: its time ends with what it has told.
                wall = last.spent.until if last.spent else last.began
            self._close_attempt(wall, cause=cause)
            if resumed:
                self.attempts[-1] = self.attempts[-1].model_copy(update={"left": wall})

    def _available(self, now: float) -> set[int]:
        """Members that could start a trainer now."""
        return {
            rank
            for rank, seen in self._seen.items()
            if rank < self.limits.workers
            and now - seen.time <= LOST_SECONDS
            and seen.report.state is not Member.RUNNING
            and not seen.report.leaving
            and not seen.report.reading
        }

    def ready(self, *, now: float) -> bool:
        """Whether the next generation can begin."""
        if self.phase is not Phase.GATHERING or now < self._not_before:
            return False
        available = self._available(now)
        if 0 not in available:
            return False
        if len(available) == self.limits.workers:
            return True
        least = self.limits.min_workers
        # Whoever has not been heard of since this agent began may still have a trainer.
        waited = now - self.began > LOST_SECONDS
        waited = waited and now - self._gathering_since >= self.limits.shrink_after_seconds
        return least is not None and len(available) >= least and waited

    def in_memory(self, *, now: float) -> list[str]:
        """Names of snapshots in the memory of members, the best to go on from first.

        Those that every member has that has any come before those that only some have.
        """
        held = [s.report.snapshots for r, s in self._seen.items() if r in self._available(now)]
        holding = [set(names) for names in held if names]
        if not holding:
            return []
        common = set.intersection(*holding)
        rest = set.union(*holding) - common
        return [*sorted(common, key=_age), *sorted(rest, key=_age)]

    def begin(self, *, now: float, wall: float, origin: Origin | None) -> None:
        """Begins the next generation; only when it is `ready`."""
        members = sorted(self._available(now))
        heard = (seen.report.generation for seen in self._seen.values())
        self.generation = 1 + max(self.generation, *heard)
        holders = [
            self._seen[r].agent
            for r in members
            if origin is not None and origin.name in self._seen[r].report.snapshots
        ]
        self._group = _Group(
            incarnations={r: self._seen[r].report.incarnation for r in members},
            addresses=[self._seen[r].address for r in members],
            restore=origin.name if origin else "",
            holders=holders,
        )
        self._failures, self.phase = {}, Phase.RUNNING
        step = origin.step if origin else 0
        self.attempts.append(
            Attempt(
                number=self.generation,
                size=len(members),
                run=self.run,
                job=self.job,
                awaited=wall - (now - self._gathering_since),
                began=wall,
                first_step=step,
                last_step=step,
            )
        )

    def all_told(self, *, now: float) -> bool:
        """Whether every member that is still there knows that the job is over."""
        here = {rank for rank, seen in self._seen.items() if now - seen.time <= LOST_SECONDS}
        return here <= self._told

    def directive(self, report: Report, *, now: float) -> Directive:
        """What the member that has sent this report is to do."""
        action = self._action(report, now)
        seen = self._seen.get(report.rank)
        # What counts for nothing may not be from that member.
        if action in (Action.FINISH, Action.FAIL) and seen is not None and seen.report is report:
            self._told.add(report.rank)
        group = self._group if action in (Action.RUN, Action.STOP) else None
        return Directive(
            meeting=self.meeting,
            action=action,
            generation=self.generation,
            members=group.members if group else [],
            addresses=group.addresses if group else [],
            restore=group.restore if group else "",
            holders=group.holders if group else [],
            reached=max((a.last_step for a in self.attempts[:-1] if a.run == self.run), default=0),
            waiting_for=self._waiting_for(now) if action is Action.WAIT else "",
            cause=self.cause,
            dump=self._dump,
        )

    def _action(self, report: Report, now: float) -> Action:
        if self.phase is Phase.FINISHED:
            return Action.FINISH
        if self.phase is Phase.FAILED:
            return Action.FAIL
        running = report.state is Member.RUNNING
        group = self._group
        mine = group is not None and group.incarnations.get(report.rank) == report.incarnation
        if self.phase is Phase.RUNNING and mine:
            if report.state is Member.ENDED and report.generation == self.generation:
                return Action.WAIT
            return Action.STOP if self._stopping else Action.RUN
        if not running:
            return Action.WAIT
        return Action.STOP if mine and self._ends_softly(now) else Action.END

    def _ends_softly(self, now: float) -> bool:
        """Whether trainers are still keeping their state together, because some are to stop."""
        codes = {failed.failure.exit_code for failed in self._failures.values()}
        return codes == {ExitCode.PREEMPTED} and now - self._ending_since <= _STOP_SECONDS

    def _waiting_for(self, now: float) -> str:
        missing: Sequence[int] = sorted(set(range(self.limits.workers)) - self._available(now))
        if not missing:
            return ""
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"worker {missing[0]}{others}"


def _age(name: str) -> tuple[int, int]:
    """Sorts names of snapshots, the newest first."""
    saved = store.parse(Path(name))
    return (-saved.step, -saved.model) if saved else (0, 0)


def _with_workers(limits: Limits, workers: int) -> Limits:
    return Limits(
        workers=workers,
        min_workers=limits.min_workers,
        shrink_after_seconds=limits.shrink_after_seconds,
        max_restarts=limits.max_restarts,
        restart_window_seconds=limits.restart_window_seconds,
    )
