"""What a generation goes on from."""

from pathlib import Path, PurePosixPath

import pytest

from kubefit.api.checkpoint import Checkpoint
from kubefit.api.contract import JobFiles, Result, RunConfig
from kubefit.api.names import Phase
from kubefit_trainer.agent import origin
from kubefit_trainer.agent.rendezvous import Origin
from kubefit_trainer.checkpoints import store


@pytest.fixture
def files(tmp_path: Path) -> JobFiles:
    return JobFiles(PurePosixPath(tmp_path))


def save(files: JobFiles, step: int, *, run: str = "this") -> Path:
    path = Path(files.checkpoints) / store.name_of(step)
    store.write(path, {"run": run}, {"weights": lambda file: file.write(b"1234")})
    return path


def choose(files: JobFiles, *in_memory: int, resume: bool = True) -> tuple[Origin | None, str]:
    config = RunConfig(
        namespace="ml",
        name="digits",
        workers=1,
        hosts="localhost",
        job_dir=str(files.root),
        run="this",
        checkpoint=Checkpoint(resume=resume),
    )
    told: list[str] = []
    names = [store.name_of(step) for step in in_memory]
    return origin.choose(names, config, files, warn=told.append), "\n".join(told)


def end_run(files: JobFiles, run: str, phase: Phase) -> None:
    result = Result(phase=phase, run=run, attempts=1, seconds=1.0)
    Path(files.result).write_text(result.model_dump_json(by_alias=True))


def test_nothing_is_there(files: JobFiles):
    assert choose(files) == (None, "")


def test_memory_is_taken_before_a_checkpoint_of_the_same_step(files: JobFiles):
    save(files, 5)
    assert choose(files, 5)[0] == Origin(step=5, name=store.name_of(5))


def test_a_newer_checkpoint_is_taken_before_memory(files: JobFiles):
    path = save(files, 9)
    assert choose(files, 5)[0] == Origin(step=9, name=str(path))


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(files: JobFiles):
    older = save(files, 3)
    newer = save(files, 4)
    newer.write_bytes(newer.read_bytes().replace(b"1234", b"1235"))
    found, told = choose(files)
    assert found == Origin(step=3, name=str(older))
    assert told.startswith(f"{newer} is damaged")
    assert told.endswith(f"kept as {newer.name}.unreadable, and the next older snapshot is used")


def test_a_damaged_checkpoint_takes_no_place_of_those_that_are_made_anew(files: JobFiles):
    for step in (7, 8):
        path = save(files, step)
        path.write_bytes(path.read_bytes().replace(b"1234", b"1235"))
    assert choose(files)[0] is None
    path = save(files, 1)
    store.prune(path.parent, keep=2)
    assert choose(files) == (Origin(step=1, name=str(path)), "")


def test_a_run_of_that_name_that_was_not_finished_is_taken_up(files: JobFiles):
    path = save(files, 4, run="before")
    end_run(files, "before", Phase.FAILED)
    assert choose(files)[0] == Origin(step=4, name=str(path))


@pytest.mark.parametrize(
    ("resume", "before"), [(False, Phase.FAILED), (True, Phase.SUCCEEDED), (False, Phase.SUCCEEDED)]
)
def test_checkpoints_of_a_run_that_does_not_count_are_removed(
    files: JobFiles, resume: bool, before: Phase
):
    save(files, 4, run="before")
    end_run(files, "before", before)
    assert choose(files, resume=resume)[0] is None
    assert not Path(files.checkpoints).exists()


def test_the_success_of_an_older_run_costs_a_later_one_no_checkpoint(files: JobFiles):
    end_run(files, "oldest", Phase.SUCCEEDED)
    path = save(files, 4, run="before")
    assert choose(files)[0] == Origin(step=4, name=str(path))


def test_a_restart_of_this_run_goes_on_whatever_resume_says(files: JobFiles):
    path = save(files, 4, run="this")
    assert choose(files, resume=False)[0] == Origin(step=4, name=str(path))


def test_a_success_is_that_of_one_run(files: JobFiles):
    end_run(files, "this", Phase.SUCCEEDED)
    assert origin.has_succeeded(files, run="this")
    assert not origin.has_succeeded(files, run="another")
