"""Reports that somebody has recorded and sends again: nothing changes, and nobody is kept out."""

from kubefit_trainer.agent.messages import Action, Directive, Member, Report
from kubefit_trainer.agent.rendezvous import LOST_SECONDS, Limits, Phase, Rendezvous


class Scene:
    """A rendezvous of two, in which all that worker 1 says is recorded."""

    def __init__(self) -> None:
        self.now = 0.0
        self.numbers = dict.fromkeys(("chief", "old", "new"), 0)
        self.heard_of = dict.fromkeys(self.numbers, "")
        self.recorded: list[Report] = []
        self.host_is_made_anew()

    def host_is_made_anew(self) -> None:
        self.host = Rendezvous(limits=Limits(workers=2), run="r", attempts=[], began=self.now)

    def says(self, who: str, state: Member = Member.IDLE, *, generation: int = 0) -> Directive:
        self.numbers[who] += 1
        report = Report(
            rank=0 if who == "chief" else 1,
            incarnation=who,
            began=1.0 if who == "new" else 0.0,
            number=self.numbers[who],
            meeting=self.heard_of[who],
            state=state,
            generation=generation,
            workers=2,
        )
        if who != "chief":
            self.recorded.append(report)
        directive = self.arrives(report, host=who)
        self.heard_of[who] = directive.meeting
        return directive

    def arrives(self, report: Report, *, host: str) -> Directive:
        self.now += 0.1
        at = {"address": f"{host}:1", "agent": f"{host}:2"}
        self.host.hear(report, now=self.now, wall=self.now, **at)
        self.host.look(now=self.now, wall=self.now)
        if self.host.ready(now=self.now):
            self.host.begin(now=self.now, wall=self.now, origin=None)
        return self.host.directive(report, now=self.now)

    def all_recorded_arrive_from(self, host: str) -> None:
        for report in list(self.recorded):
            # A copy, as one that came over the network is.
            self.arrives(report.model_copy(), host=host)


def test_a_report_that_is_sent_once_more_from_elsewhere_moves_no_member() -> None:
    scene = Scene()
    scene.says("old")
    scene.says("old")
    scene.all_recorded_arrive_from("wrong")
    scene.says("chief")
    assert scene.says("chief").addresses == ["chief:1", "old:1"]


def test_an_agent_that_was_followed_is_not_heard_again_however_long_the_next_one_is_silent() -> (
    None
):
    scene = Scene()
    for who in ("old", "old", "new", "new"):
        scene.says(who)
    scene.now += LOST_SECONDS + 1
    scene.all_recorded_arrive_from("wrong")
    # Nor does what it says after those.
    scene.says("old")
    scene.says("chief")
    assert scene.says("chief").action is Action.WAIT
    assert scene.host.phase is Phase.GATHERING
    scene.says("new")
    assert scene.says("chief").addresses == ["chief:1", "new:1"]


def test_what_was_said_to_the_rendezvous_before_counts_for_nothing_at_the_next_one() -> None:
    scene = Scene()
    scene.says("old")
    scene.says("old")
    scene.host_is_made_anew()
    scene.all_recorded_arrive_from("wrong")
    scene.says("chief")
    assert scene.says("chief").waiting_for == "worker 1"


def test_a_rendezvous_that_is_made_anew_costs_each_member_one_report_more() -> None:
    scene = Scene()
    for who in ("chief", "old", "chief", "old"):
        scene.says(who)
    assert scene.host.phase is Phase.RUNNING
    scene.host_is_made_anew()
    # A trainer of the generation before is ended at once, though, as ever.
    assert scene.says("old", Member.RUNNING, generation=1).action is Action.END
    scene.says("chief")
    scene.says("old", Member.ENDED, generation=1)
    assert scene.says("chief").action is Action.RUN
    assert scene.host.generation == 2


def test_a_clock_that_is_ahead_does_not_keep_the_next_agent_out() -> None:
    scene = Scene()
    scene.says("new")
    scene.says("new")
    scene.says("old")
    scene.now += LOST_SECONDS + 1
    scene.says("old")
    scene.says("chief")
    assert scene.says("chief").addresses == ["chief:1", "old:1"]


def test_a_member_is_not_taken_to_know_the_end_because_somebody_else_asked() -> None:
    scene = Scene()
    for who in ("chief", "old", "chief", "old"):
        scene.says(who)
    scene.says("old", Member.ENDED, generation=1)
    assert scene.says("chief", Member.ENDED, generation=1).action is Action.FINISH
    scene.all_recorded_arrive_from("wrong")
    assert not scene.host.all_told(now=scene.now)
    scene.says("old", Member.ENDED, generation=1)
    assert scene.host.all_told(now=scene.now)
