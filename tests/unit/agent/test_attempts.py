"""The number of an attempt."""

from pathlib import Path, PurePosixPath

from kubefit.api.contract import JobFiles
from kubefit_trainer.agent.attempts import next_attempt


def test_the_first_attempt_is_one(tmp_path: Path):
    assert next_attempt(JobFiles(PurePosixPath(tmp_path / "new")), 0) == 1


def test_only_logs_of_the_own_rank_count(tmp_path: Path):
    files = JobFiles(PurePosixPath(tmp_path))
    for attempt, rank in [(1, 0), (2, 0), (10, 0), (11, 1), (12, 10)]:
        log = Path(files.log(attempt, rank))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    (tmp_path / "logs" / "attempt-x").mkdir()
    assert next_attempt(files, 0) == 11
    assert next_attempt(files, 1) == 12
    assert next_attempt(files, 2) == 1
