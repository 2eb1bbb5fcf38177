"""A rendezvous whose number of workers changes."""

from kubefit_trainer.agent.messages import Action, Member, Report
from kubefit_trainer.agent.rendezvous import Limits, Phase, Rendezvous


class Scene:
    """Members that say what they do, one second after the other."""

    def __init__(self, workers: int) -> None:
        self.meeting = Rendezvous(limits=Limits(workers=workers), run="r", attempts=[], began=0.0)
        self.now = 0.0
        self.number = 0

    def says(self, rank: int, state: Member, *, workers: int = 3, leaving: bool = False) -> Action:
        self.now += 1.0
        self.number += 1
        report = Report(
            rank=rank,
            incarnation=f"incarnation {rank}",
            number=self.number,
            meeting=self.meeting.meeting,
            state=state,
            generation=self.meeting.generation if state is not Member.IDLE else 0,
            workers=workers,
            leaving=leaving,
        )
        self.meeting.hear(report, now=self.now, wall=self.now, address="a:1", agent="a:2")
        self.meeting.look(now=self.now, wall=self.now)
        if self.meeting.ready(now=self.now):
            self.meeting.begin(now=self.now, wall=self.now, origin=None)
        return self.meeting.directive(report, now=self.now).action


def running(workers: int) -> Scene:
    scene = Scene(workers)
    for rank in range(workers):
        scene.says(rank, Member.IDLE, workers=workers)
    for rank in range(workers):
        scene.says(rank, Member.RUNNING, workers=workers)
    assert scene.meeting.phase is Phase.RUNNING
    return scene


def test_a_worker_that_was_dismissed_does_not_make_the_job_large_again():
    scene = running(3)
    scene.meeting.resize(2)
    scene.says(2, Member.RUNNING)
    scene.says(2, Member.RUNNING, leaving=True)
    assert scene.meeting.limits.workers == 2


def test_trainers_keep_their_state_before_a_job_gets_smaller():
    scene = running(3)
    scene.meeting.resize(2)
    assert scene.says(0, Member.RUNNING) is Action.STOP


def test_a_worker_beyond_the_number_that_is_known_makes_it_known():
    scene = running(2)
    scene.says(2, Member.IDLE, workers=3)
    assert scene.meeting.limits.workers == 3
    assert scene.says(0, Member.RUNNING) is Action.STOP
