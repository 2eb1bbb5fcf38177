"""The rendezvous under losses, returns, late and repeated messages: one generation at a time."""

from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kubefit.api.contract import ExitCode, Failure
from kubefit_trainer.agent.messages import Action, Member, Report
from kubefit_trainer.agent.policy import Attempt
from kubefit_trainer.agent.rendezvous import LOST_SECONDS, Limits, Phase, Rendezvous

WORKERS = 3
CUT_OFF_SECONDS = 10.0
RANKS = st.integers(0, WORKERS - 1)
CODES = st.sampled_from(
    [ExitCode.CRASHED, ExitCode.PEER_LOST, ExitCode.PREEMPTED, ExitCode.STALLED]
)
_names = count()


@dataclass
class Agent:
    """What an agent does with directives; its trainer is the generation that runs."""

    rank: int
    began: float
    heard: float
    incarnation: str = field(default_factory=lambda: f"agent-{next(_names)}")
    number: int = 0
    meeting: str = ""
    generation: int = 0
    running: bool = False
    failure: Failure | None = None
    reading: int = 0
    """Reports until the snapshots in its memory are verified."""

    def report(self) -> Report:
        self.number += 1
        self.reading = max(0, self.reading - 1)
        state = Member.RUNNING if self.running else Member.ENDED
        return Report(
            rank=self.rank,
            incarnation=self.incarnation,
            began=self.began,
            number=self.number,
            meeting=self.meeting,
            state=state if self.generation else Member.IDLE,
            generation=self.generation,
            failure=None if self.running else self.failure,
            workers=WORKERS,
            reading=not self.running and self.reading > 0,
        )

    def end(self, code: ExitCode = ExitCode.PEER_LOST) -> None:
        if self.running:
            self.running, self.failure = False, Failure(exit_code=code, message="ended")


class Meeting(RuleBasedStateMachine):
    min_workers: int | None = None
    shrink_after_seconds = 60.0

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.agents: dict[int, Agent | None] = dict.fromkeys(range(WORKERS))
        self.late: list[Report] = []
        self.highest = 0
        self.attempts: list[Attempt] = []
        self.host: Rendezvous | None = None
        for rank in range(WORKERS):
            self.join(rank)

    def join(self, rank: int) -> None:
        self.agents[rank] = Agent(rank, began=self.now, heard=self.now)
        if rank == 0:
            self.host = Rendezvous(
                limits=Limits(
                    workers=WORKERS,
                    min_workers=self.min_workers,
                    shrink_after_seconds=self.shrink_after_seconds,
                    max_restarts=5,
                ),
                run="run",
                attempts=list(self.attempts),
                began=self.now,
            )
            self.host.close_left_open(self.now)

    def deliver(self, report: Report) -> None:
        host = self.host
        if host is None:
            return
        host.hear(report, now=self.now, wall=self.now, address="host:1", agent="host:2")
        host.look(now=self.now, wall=self.now)
        if host.ready(now=self.now):
            host.begin(now=self.now, wall=self.now, origin=None)
            assert host.generation > self.highest
            self.highest = host.generation
        self.attempts = list(host.attempts)

    def exchange(self, agent: Agent) -> None:
        report = agent.report()
        self.deliver(report)
        if self.host is None:
            return
        directive = self.host.directive(report, now=self.now)
        agent.heard, agent.meeting = self.now, directive.meeting
        if directive.action is Action.RUN and directive.generation > agent.generation:
            if agent.running:
                agent.end()
            else:
                agent.generation, agent.running, agent.failure = directive.generation, True, None
        elif directive.action is Action.STOP:
            agent.end(ExitCode.PREEMPTED)
        elif directive.action in (Action.END, Action.FAIL):
            agent.end()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for agent in self.agents.values():
            if agent is not None and self.now - agent.heard > CUT_OFF_SECONDS:
                agent.end()

    @rule(rank=RANKS)
    def member_reports(self, rank: int) -> None:
        self.pass_time(0.1)
        if (agent := self.agents[rank]) is not None:
            self.exchange(agent)

    @rule(seconds=st.sampled_from([0.5, 5.0, 9.0, 11.0, 16.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule()
    def all_report(self) -> None:
        self.pass_time(0.5)
        for agent in self.agents.values():
            if agent is not None:
                self.exchange(agent)

    @rule(rank=RANKS, code=CODES)
    def trainer_fails(self, rank: int, code: ExitCode) -> None:
        if (agent := self.agents[rank]) is not None:
            agent.end(code)

    @rule(rank=RANKS, reports=st.integers(1, 5))
    def snapshots_are_large(self, rank: int, reports: int) -> None:
        if (agent := self.agents[rank]) is not None:
            agent.reading = reports

    @rule(rank=RANKS)
    def trainer_succeeds(self, rank: int) -> None:
        agent = self.agents[rank]
        if agent is not None and agent.running:
            agent.running = False

    @rule(rank=RANKS)
    def agent_dies(self, rank: int) -> None:
        self.pass_time(0.1)
        self.agents[rank] = None
        if rank == 0:
            self.host = None

    @rule(rank=RANKS)
    def agent_is_made_anew(self, rank: int) -> None:
        self.agent_dies(rank)
        self.join(rank)

    @rule(rank=RANKS)
    def answer_is_lost(self, rank: int) -> None:
        agent = self.agents[rank]
        if agent is not None and rank > 0:
            self.late.append(agent.report())

    @rule(index=st.integers(0, 20), again=st.booleans())
    def late_report_arrives(self, index: int, again: bool) -> None:
        if not self.late:
            return
        self.pass_time(0.1)
        index %= len(self.late)
        self.deliver(self.late[index] if again else self.late.pop(index))

    @rule()
    def attempts_are_lost_but_for_the_logs(self) -> None:
        if self.attempts:
            last = self.attempts[-1].number
            self.attempts = [Attempt(number=last, size=0, began=0.0, ended=0.0)]

    @invariant()
    def never_two_generations_run(self) -> None:
        running = {a.generation for a in self.agents.values() if a is not None and a.running}
        assert len(running) <= 1

    @invariant()
    def every_attempt_but_the_last_has_ended(self) -> None:
        if self.host is not None:
            assert all(a.ended is not None for a in self.host.attempts[:-1])
            numbers = [a.number for a in self.host.attempts]
            assert numbers == sorted(set(numbers))

    def teardown(self) -> None:
        """When all are there and nothing more happens, they train together, or the job is over."""
        for rank, agent in self.agents.items():
            if agent is None:
                self.join(rank)
        for _ in range(round(2 * (4 * LOST_SECONDS + 60))):
            self.all_report()
            self.never_two_generations_run()
            assert self.host is not None
            if self.host.phase in (Phase.FINISHED, Phase.FAILED):
                return
            everyone = [a for a in self.agents.values() if a is not None]
            if all(a.running and a.generation == self.host.generation for a in everyone):
                return
            if self.host.phase is Phase.RUNNING:
                # Those that have ended well already wait for the others.
                for agent in everyone:
                    agent.running = False
        pytest.fail(f"no progress in {self.host}")


class ElasticMeeting(Meeting):
    min_workers = 2
    shrink_after_seconds = 0.0


_SETTINGS = settings(max_examples=150, stateful_step_count=40)
TestMeeting = Meeting.TestCase
TestMeeting.settings = _SETTINGS
TestElasticMeeting = ElasticMeeting.TestCase
TestElasticMeeting.settings = _SETTINGS
