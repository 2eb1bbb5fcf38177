"""Images that cannot be read are left out alike on every worker, and are told."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kubefit.api.recipe import Recipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.recipe import inputs
from kubefit_trainer.recipe.readable import Group

BAD = {"a/2.png": b"", "a/5.png": b"<html>", "b/1.jpg": b"\xff\xd8\xff\xe0"}


def write(folder: Path, *, bad: bool) -> Path:
    """Twelve images of two classes, three of which cannot be read or are not there."""
    for i in range(12):
        name = f"{'ab'[i // 6]}/{i % 6}.png"
        if name == "b/1.png":
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if bad or name not in BAD:
            Image.new("L", (4, 4), 10 * i).save(folder / name)
    if bad:
        for name, content in BAD.items():
            (folder / name).write_bytes(content)
        broken = folder / "b" / "3.png"
        broken.write_bytes(broken.read_bytes()[:-20])
    else:
        (folder / "b" / "3.png").unlink()
    return folder


def recipe(**data: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "data": {
                "train": {"folder": "."},
                "imageSize": [4, 4],
                "channels": 1,
                "validationSplit": 0.3,
                "onUnreadable": "skip",
                **data,
            },
            "model": {"blocks": [{"flatten": True}]},
            "training": {"epochs": 1, "globalBatchSize": 4},
        }
    )


def opened(folder: Path, *, workers: int) -> list[inputs.Inputs]:
    """What each worker opens."""
    met = threading.Barrier(workers)
    texts = [""] * workers
    found: dict[int, inputs.Inputs] = {}

    def work(rank: int) -> None:
        def exchange(text: str) -> list[str]:
            texts[rank] = text
            met.wait()
            return list(texts)

        group = Group(rank=rank, workers=workers, exchange=exchange)
        found[rank] = inputs.open_inputs(recipe(), folder, group)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[rank] for rank in range(workers)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_what_is_left_is_a_set_that_never_had_the_others(tmp_path: Path, workers: int) -> None:
    clean = inputs.open_inputs(recipe(), write(tmp_path / "clean", bad=False))
    for found in opened(write(tmp_path / "bad", bad=True), workers=workers):
        for mine, theirs in ((found.train, clean.train), (found.validation, clean.validation)):
            np.testing.assert_array_equal(mine.samples, theirs.samples)
            for sample in mine.samples.tolist():
                assert mine.source.labels[sample] == theirs.source.labels[sample]
                np.testing.assert_array_equal(
                    mine.source.picture(sample).pixels, theirs.source.picture(sample).pixels
                )


def test_every_worker_knows_all_names_and_reasons(tmp_path: Path) -> None:
    first, second = opened(write(tmp_path, bad=True), workers=2)
    assert first.skipped == second.skipped
    assert list(first.skipped) == [f"{tmp_path}/{name}" for name in [*sorted(BAD), "b/3.png"]]
    assert first.skipped[f"{tmp_path}/a/2.png"] == "the file is empty"
    assert first.skipped[f"{tmp_path}/b/3.png"] == "it is damaged or breaks off"


def test_nothing_is_skipped_of_a_sound_set(tmp_path: Path) -> None:
    (found,) = opened(write(tmp_path, bad=False), workers=1)
    assert found.skipped == {}


def test_a_class_of_which_nothing_is_left_ends_the_job(tmp_path: Path) -> None:
    write(tmp_path, bad=False)
    for file in (tmp_path / "b").iterdir():
        file.write_bytes(b"")
    with pytest.raises(ConfigurationError, match="only class 'a' has images"):
        inputs.open_inputs(recipe(), tmp_path)


def test_a_set_of_which_nothing_is_left_ends_the_job(tmp_path: Path) -> None:
    write(tmp_path / "train", bad=False)
    (tmp_path / "test" / "a").mkdir(parents=True)
    (tmp_path / "test" / "a" / "0.png").write_bytes(b"")
    wanted = recipe(train={"folder": "train"}, test={"folder": "test"})
    said = r"spec.recipe.data.test: none of the 1 images can be read.*the file is empty"
    with pytest.raises(ConfigurationError, match=said):
        inputs.open_inputs(wanted, tmp_path)
