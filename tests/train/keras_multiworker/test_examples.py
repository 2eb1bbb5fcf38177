"""The programs of the examples on two workers, as they are: the numbers of one process."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from comparing import assert_same_training

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_examples.py")
EXAMPLES = Path(__file__).parents[3] / "examples"
PROGRAMS = (
    "sentiment",
    "writer",
    "summarisation",
    "speech",
    "gan",
    "distillation",
)


def write_reviews(folder: Path) -> None:
    """A few reviews in the folders of IMDB's, whose number no batch divides."""
    for part, count in (("train", 43), ("test", 11)):
        for i in range(count):
            review = folder / part / ("neg", "pos")[i % 2] / f"{i}.txt"
            review.parent.mkdir(parents=True, exist_ok=True)
            word, end = ("dull", "wonderful")[i % 2], "and so was the second half of it" * (i % 3)
            review.write_text(f"The plot was {word} {end}.")


def write_digits(folder: Path) -> None:
    """Every fourth image of the first example's data."""
    make_data = EXAMPLES / "01-digits" / "make_data.py"
    subprocess.run([sys.executable, make_data, folder], check=True, capture_output=True)
    for image in folder.rglob("*.png"):
        if int(image.stem) % 4:
            image.unlink()


@pytest.fixture(scope="module")
def environment(announcements, tmp_path_factory) -> dict[str, str]:
    """Where the data of the programs are."""
    data = tmp_path_factory.mktemp("data")
    write_reviews(data / "reviews")
    write_digits(data / "digits")
    subprocess.run(["dpkg-deb", "-x", announcements[0], data / "unpacked"], check=True)
    (spoken,) = (data / "unpacked").rglob("digits/9.wav")
    spoken.parent.rename(data / "recordings")
    return {"EXAMPLES_DATA": str(data)}


@pytest.fixture(scope="module")
def one(worker_group, environment):
    return worker_group(SCENARIOS, workers=1, env=environment)[0]


@pytest.fixture(scope="module")
def two(worker_group, environment):
    return worker_group(SCENARIOS, workers=2, env=environment)


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_unchanged_program_gets_the_numbers_of_one_process(one, two, program):
    assert len(one[program]["logs"]) >= 2
    # Attention and recurrence add up in another order for fewer rows, step after step.
    assert_same_training(
        one[program], [rank[program] for rank in two], logs=(2e-3, 2e-3), weights=(2e-2, 2e-3)
    )


def test_every_numbered_example_with_a_program_is_among_them():
    folders = {path.parent.name for path in EXAMPLES.glob("1*/train.py")}
    assert folders == set(re.findall(r'"(1\d-[\w-]+)"', SCENARIOS.read_text()))


def test_a_long_training_begins_as_on_one_process_and_ends_alike_on_all_workers(one, two):
    program = "translation"
    assert_same_training(two[0][program], [rank[program] for rank in two], weights=(0.0, 0.0))
    for name, values in one[program]["logs"].items():
        # Later on roundings have grown.
        np.testing.assert_allclose(
            two[0][program]["logs"][name][0], values[0], rtol=1e-2, err_msg=name
        )


def test_unseen_dates_are_translated_and_all_workers_say_the_same(two):
    said = [rank["translation"]["printed"] for rank in two]
    assert said[0].splitlines()[-4:] == said[1].splitlines()[-4:]
    # By chance one of 73000.
    assert float(re.search(r"translation: ([\d.]+) of the dates", said[0])[1]) > 0.4


def test_summaries_are_found_far_more_often_than_by_chance(two):
    said = two[0]["summarisation"]["printed"]
    found, chance = re.search(r": ([\d.]+) of the summaries .* ([\d.]+) by chance", said).groups()
    assert float(found) > float(chance) + 0.25


def test_noise_without_a_seed_differs_between_workers_but_not_what_they_learn(one, two):
    assert_same_training(
        two[0]["own_noise"], [rank["own_noise"] for rank in two], weights=(0.0, 0.0)
    )
    first, second = (rank["own_noise"]["noise"] for rank in two)
    np.testing.assert_array_equal(first[:2], one["own_noise"]["noise"][:2])
    assert not np.isin(first, second).any()
