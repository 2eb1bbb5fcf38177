"""Decoded images that are kept are those that were decoded, wherever they are kept."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kubefit.api.recipe import Data
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images.decode import Picture
from kubefit_trainer.recipe import cache
from kubefit_trainer.recipe.cache import InMemory, OnDisk, PictureCache, Store
from kubefit_trainer.recipe.sources import Source, open_source

FIELD = "spec.recipe.data.train.folder"
SIDE = 16
BYTES = SIDE * SIDE * 3


class Decoder:
    """Pictures full of noise by number; counts how often each is decoded."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, sample: int) -> Picture:
        self.asked.append(sample)
        noise = np.random.default_rng(sample).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        return Picture(noise, (SIDE - 0.5, SIDE))


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pictures each."""
    monkeypatch.setattr(cache, "SEGMENT_BYTES", 3 * BYTES + 1)


STORES: list[Callable[[Path], Store]] = [lambda folder: InMemory(), OnDisk]


@pytest.mark.parametrize("store", STORES)
def test_threads_get_each_picture_as_it_was_decoded(tmp_path: Path, store) -> None:
    decode = Decoder()
    pictures = PictureCache(decode, store(tmp_path), field=FIELD)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pictures, [*range(20)] * 4))
    del decode.asked[:]
    for sample in range(20):
        found, plain = pictures(sample), Decoder()(sample)
        np.testing.assert_array_equal(found.pixels, plain.pixels)
        assert found.extent == plain.extent
    assert decode.asked == []
    assert str(pictures) == f"cache of {FIELD}: 20 images, {20 * BYTES / 2**20:.1f} MiB"


def test_pictures_without_room_are_decoded_each_time_which_is_told_once(capsys) -> None:
    decode = Decoder()
    pictures = PictureCache(decode, InMemory(2 * BYTES), field=FIELD)
    for sample in [0, 1, 2, 3] * 2:
        np.testing.assert_array_equal(pictures(sample).pixels, Decoder()(sample).pixels)
    assert decode.asked == [0, 1, 2, 3, 2, 3]
    (line,) = capsys.readouterr().out.splitlines()
    assert line == f"cache of {FIELD}: 2 images, 0.0 MiB; full, the others are decoded each time"


def test_a_disk_that_fills_up_is_left_room(tmp_path: Path, monkeypatch) -> None:
    free = iter([1000, 151, 150])
    monkeypatch.setattr(cache, "SEGMENT_BYTES", 1)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1000, 0, next(free))
    )
    store, pixels = OnDisk(tmp_path), np.full((1, 1, 1), 7, np.uint8)
    assert store.keep(pixels) == pixels
    assert store.keep(pixels) == pixels
    assert store.keep(pixels) is None


def test_nothing_is_left_of_a_cache_on_disk(tmp_path: Path) -> None:
    OnDisk(tmp_path).keep(np.ones((4, 4, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def opened(volume: Path, kept: str) -> Source:
    for name in ("a", "b"):
        (volume / name).mkdir(exist_ok=True)
        Image.new("RGB", (9, 8), (3, 5, 7)).save(volume / name / "0.png")
    data = Data.model_validate({"train": {"folder": "."}, "imageSize": [4, 6], "cache": kept})
    return open_source(data.train, data, volume=volume, field="spec.recipe.data.train")


@pytest.mark.parametrize("kept", ["none", "memory", "disk"])
def test_a_set_is_the_same_wherever_it_is_kept(tmp_path: Path, kept: str) -> None:
    source = opened(tmp_path, kept)
    first = source.picture(0).pixels
    assert first.shape == (8, 9, 3)
    np.testing.assert_array_equal(source.picture(0).pixels, first)
    (tmp_path / "a" / "0.png").unlink()
    if kept == "none":
        with pytest.raises(ConfigurationError, match="cannot be read"):
            source.picture(0)
    else:
        np.testing.assert_array_equal(source.picture(0).pixels, first)
        assert str(source.cache).startswith("cache of spec.recipe.data.train.folder: 1 images")


def test_a_pod_without_a_folder_for_temporary_files_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match=r"^spec\.recipe\.data\.cache: no temporary file"):
        opened(tmp_path, "disk")
