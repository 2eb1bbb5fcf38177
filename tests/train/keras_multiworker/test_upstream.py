"""The reproductions for upstream show on stock Keras what their descriptions say."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.train
REPRODUCTIONS = Path(__file__).parents[3] / "docs" / "upstream" / "reproductions"


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("clipping", ["norm of the step: 2.0"]),
        (
            "accumulation",
            [
                "{'gradient_accumulation_steps': 2} RuntimeError",
                "{'use_ema': True, 'ema_overwrite_frequency': 2} RuntimeError",
            ],
        ),
        ("steps_per_execution", ["Error "]),
        (
            "losses",
            [
                "mean over rows, expected 0.8: 0.8",
                "a scalar, expected 0.8: 0.6",
                "three rows at the end, expected 0.48: 0.4\n",
            ],
        ),
        ("batch_norm", ["by replica: [0.0, 1.0]", "in the weights: 0.0"]),
    ],
)
def test_on_two_replicas_of_one_process(plain_group, name, seen):
    (output,) = plain_group(REPRODUCTIONS / f"{name}.py", workers=1)
    for words in seen:
        assert words in output
    assert "trained" not in output


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("fit_crashes", ["Error"]),
        ("reduce_per_replica", ["mean ValueError", "sum TypeError"]),
    ],
)
def test_on_two_workers(plain_group, name, seen):
    for output in plain_group(REPRODUCTIONS / f"{name}.py"):
        for words in seen:
            assert words in output


def test_dropout_masks_are_the_same_on_two_workers(plain_group):
    first, second = (
        [line.split("[")[1] for line in output.splitlines() if line.startswith("worker")]
        for output in plain_group(REPRODUCTIONS / "dropout.py")
    )
    assert first == second != []


def test_shuffled_rows_are_seen_twice_or_never_on_two_workers(plain_group):
    seen = []
    for output in plain_group(REPRODUCTIONS / "shuffled_arrays.py"):
        lines = [line for line in output.splitlines() if line.startswith("worker")]
        seen += [int(row) for row in lines[0].split("[")[1].rstrip("]").split(",")]
    assert len(seen) == 16
    assert len(set(seen)) < 16


def test_a_worker_without_an_overflow_waits_for_the_one_that_skips_its_step(plain_group):
    finite, overflown = plain_group(REPRODUCTIONS / "float16.py")
    assert "worker 1 has done its step; scale 16384.0" in overflown
    assert "has done its step" not in finite


def test_a_worker_that_saves_waits_until_the_other_saves_too(plain_group):
    times = [
        {words: float(time) for words, _, time in (line.rpartition(": ") for line in lines)}
        for lines in (
            [line for line in output.splitlines() if line.startswith("worker ")]
            for output in plain_group(REPRODUCTIONS / "saving.py")
        )
    ]
    assert times[0]["worker 0 begins to save"] < times[1]["worker 1 begins to save"]
    assert times[0]["worker 0 has saved"] > times[1]["worker 1 begins to save"]


def test_two_writers_of_one_file_are_in_each_others_way(plain_group):
    outputs = plain_group(REPRODUCTIONS / "writers.py")
    assert any("unable to lock file" in output for output in outputs), outputs


def test_the_longest_deletion_of_an_iterator_is_told(plain_group):
    (output,) = plain_group(REPRODUCTIONS / "iterators.py", "3", workers=1)
    assert "longest deletion: " in output
