"""What the agent of worker 0 remembers of attempts, for the one that may follow it."""

import time
from pathlib import Path, PurePosixPath

import pytest

from kubefit.api.contract import ExitCode, Failure, JobFiles, RunConfig, Spent
from kubefit_trainer import report as files
from kubefit_trainer.agent.goodput import Lost, goodput
from kubefit_trainer.agent.host import Host
from kubefit_trainer.agent.messages import Member, Report
from kubefit_trainer.agent.policy import Attempt, History


def test_the_first_attempt_of_a_job_is_on_the_volume_as_soon_as_it_begins(tmp_path: Path) -> None:
    folder = tmp_path / "team" / "digits"
    config = RunConfig(namespace="team", name="digits", workers=1, hosts="a", job_dir=str(folder))
    host = Host(config, JobFiles(PurePosixPath(folder)), warn=pytest.fail)
    idle = Report(
        rank=0, incarnation="a", began=0.0, number=1, state=Member.IDLE, port=1, workers=1
    )
    host.hear(idle.model_copy(update={"meeting": host.hear(idle).meeting}))
    written = files.read(folder / "attempts.json", History)
    assert written is not None
    assert [attempt.number for attempt in written.attempts] == [1]


def test_how_far_an_attempt_is_comes_to_the_volume_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "team" / "digits"
    config = RunConfig(namespace="team", name="digits", workers=1, hosts="a", job_dir=str(folder))
    host = Host(config, JobFiles(PurePosixPath(folder)), warn=pytest.fail)
    told = Report(rank=0, incarnation="a", state=Member.IDLE, port=1, workers=1)
    told = told.model_copy(update={"meeting": host.hear(told).meeting})
    host.hear(told)
    running = {"state": Member.RUNNING, "generation": 1}
    began = time.monotonic()
    for number in range(1, 8):
        passed = 5.0 * number
        monkeypatch.setattr(time, "monotonic", lambda passed=passed: began + passed)
        spent = Spent(productive=passed, until=passed)
        host.hear(told.model_copy(update={"number": number, "spent": spent, **running}))
    deadline = time.perf_counter() + 60
    productive = 0.0
    while not productive and time.perf_counter() < deadline:
        host.hear(told.model_copy(update={"number": 7, "spent": spent, **running}))
        written = files.read(folder / "attempts.json", History)
        assert written is not None
        found = written.attempts[-1].spent
        productive = found.productive if found else 0.0
    # The first look after half a minute; what came later waits for the next one.
    assert productive == 30.0


def hosted(folder: Path, job: str) -> Host:
    config = RunConfig(namespace="team", name="digits", workers=1, hosts="a", job_dir=str(folder))
    return Host(config, JobFiles(PurePosixPath(folder)), warn=pytest.fail, job=job)


def attempt_of(folder: Path, job: str, *, leaves: bool) -> Attempt:
    """An attempt that has spent some time; worker 0 may be told to stop, and do so."""
    host = hosted(folder, job)
    told = Report(rank=0, incarnation=job, state=Member.IDLE, port=1, workers=1)
    told = told.model_copy(update={"meeting": host.hear(told).meeting})
    running = {"state": Member.RUNNING, "generation": host.hear(told).generation}
    spent = Spent(productive=5, until=time.time() + 5)
    host.hear(told.model_copy(update={"number": 1, "spent": spent, **running}))
    if leaves:
        failure = Failure(exit_code=ExitCode.PREEMPTED, message="the worker was told to stop")
        ended = {**running, "state": Member.ENDED, "failure": failure, "spent": spent}
        host.hear(told.model_copy(update={"number": 2, "leaving": True, **ended}))
    written = files.read(folder / "attempts.json", History)
    assert written is not None
    return written.attempts[-1]


def test_an_attempt_whose_worker_0_was_told_to_stop_waits_for_no_other(tmp_path: Path) -> None:
    first = attempt_of(tmp_path, "first", leaves=True)
    assert (first.job, first.left) == ("first", first.ended)
    second = attempt_of(tmp_path, "second", leaves=True)
    lost = goodput([first, second], now=second.ended or 0.0).lost
    assert lost[Lost.RESTART] == pytest.approx(0, abs=1)


def test_an_attempt_that_nobody_ended_before_a_suspension_ends_with_what_it_has_told(
    tmp_path: Path,
) -> None:
    left_open = attempt_of(tmp_path, "first", leaves=False)
    told = left_open.model_copy(update={"spent": Spent(productive=5, until=left_open.began + 5)})
    for job, ended in (("first", None), ("second", left_open.began + 5)):
        files.write(tmp_path / "attempts.json", History(attempts=[told]))
        said = hosted(tmp_path, job).hear(
            Report(rank=0, incarnation=job, state=Member.IDLE, port=1, workers=1)
        )
        # Only an agent that went away while its job was to run has failed.
        assert (said.cause is None) == (job == "second")
        written = files.read(tmp_path / "attempts.json", History)
        assert written is not None
        assert ended in (None, written.attempts[0].ended)
        assert written.attempts[0].ended is not None
