from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kubefit.api.recipe import Data, Images
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images import augment
from kubefit_trainer.recipe.sources import Source, open_source

COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


def data(channels: int = 3, size: tuple[int, int] = (4, 6), **train: str) -> Data:
    return Data.model_validate({"train": train, "imageSize": list(size), "channels": channels})


def opened(spec: Data, volume: Path) -> Source:
    return open_source(spec.train, spec, volume=volume, field="spec.recipe.data.train")


def pixels(source: Source, ids: list[int]) -> np.ndarray:
    return np.stack([augment.resized(source.picture(i), size=(4, 6)) for i in ids])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One image of each colour in each format and mode, under its colour."""
    for name, colour in COLOURS.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        image = Image.new("RGB", (12, 8), colour)
        for suffix in ("png", "jpg", "jpeg", "bmp", "gif", "webp"):
            image.save(tmp_path / "set" / name / f"image.{suffix}", quality=100)
        image.convert("P").save(tmp_path / "set" / name / "palette.png")
        image.convert("RGBA").save(tmp_path / "set" / name / "transparent.PNG")
        (tmp_path / "set" / name / "notes.txt").write_text("not an image")
    return tmp_path


def test_class_folders_give_labels_by_name_and_pixels_of_every_format(folder: Path) -> None:
    source = opened(data(folder="set"), folder)
    assert source.classes == ["blue", "green", "red"]
    assert source.labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    found = pixels(source, list(range(24)))
    assert found.shape == (24, 4, 6, 3)
    assert found.dtype == np.uint8
    expected = np.array([COLOURS[source.classes[label]] for label in source.labels])
    assert np.abs(found - expected[:, None, None, :]).max() <= 3


def test_colour_becomes_gray_and_gray_becomes_colour(tmp_path: Path) -> None:
    for name, mode, value in (("a", "RGB", (10, 200, 90)), ("b", "L", 77), ("c", "LA", (77, 9))):
        (tmp_path / name).mkdir()
        for suffix in ("png",) if mode == "LA" else ("png", "bmp", "gif"):
            Image.new(mode, (4, 4), value).save(tmp_path / name / f"image.{suffix}")
    gray = pixels(opened(data(1, folder="."), tmp_path), list(range(7)))
    assert gray.shape == (7, 4, 6, 1)
    luma = round(0.2989 * 10 + 0.587 * 200 + 0.114 * 90)
    assert np.abs(gray[:3].astype(int) - luma).max() <= 2
    np.testing.assert_array_equal(gray[3:], 77)
    colour = pixels(opened(data(3, folder="."), tmp_path), list(range(7)))
    np.testing.assert_array_equal(colour[3:], 77)


def test_an_image_is_decoded_once(folder: Path) -> None:
    source = opened(data(folder="set"), folder)
    first = pixels(source, [3, 0])
    for file in (folder / "set" / "blue").iterdir():
        file.unlink()
    np.testing.assert_array_equal(pixels(source, [3, 0]), first)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda whole: whole[:60], "damaged"),
        (lambda whole: b"", "the file is empty"),
        (lambda whole: b"<html>not found</html>", "not PNG, JPEG, WEBP, BMP or GIF"),
    ],
)
def test_an_unreadable_image_is_named(folder: Path, content, reason: str) -> None:
    source = opened(data(folder="set"), folder)
    file = folder / "set" / "blue" / "image.png"
    file.write_bytes(content(file.read_bytes()))
    with pytest.raises(ConfigurationError) as raised:
        pixels(source, list(range(8)))
    said = str(raised.value)
    assert said.startswith("spec.recipe.data.train.folder: ")
    assert f"{file} cannot be read" in said
    assert reason in said
    assert "\n" not in said


@pytest.mark.parametrize("shape", [(5, 8, 12), (5, 8, 12, 1), (5, 8, 12, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_archive_gives_resized_pixels(
    tmp_path: Path, shape: tuple[int, ...], channels: int
) -> None:
    images = np.full(shape, 50, np.uint8) + np.arange(5, dtype=np.uint8).reshape(
        -1, *[1] * (len(shape) - 1)
    )
    np.savez_compressed(tmp_path / "set.npz", x=images, y=[0, 1, 2, 3, 3])
    source = opened(data(channels, npz="set.npz"), tmp_path)
    assert source.classes == ["0", "1", "2", "3"]
    assert source.labels.tolist() == [0, 1, 2, 3, 3]
    found = pixels(source, [4, 1])
    assert found.shape == (2, 4, 6, channels)
    np.testing.assert_array_equal(found[:, 0, 0, 0], [54, 51])


def test_resizing_keeps_pixels_of_the_right_size(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 6), np.uint8)
    np.savez(tmp_path / "set.npz", x=images, y=[0, 1, 0])
    found = pixels(opened(data(1, npz="set.npz"), tmp_path), [0, 1, 2])
    np.testing.assert_array_equal(found[..., 0], images)


def test_test_images_take_the_classes_of_the_training_images(folder: Path) -> None:
    (folder / "test" / "red").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(folder / "test" / "red" / "0.png")
    spec = data(folder="set")
    source = open_source(
        Images(folder="test"),
        spec,
        volume=folder,
        field="spec.recipe.data.test",
        classes=["blue", "green", "red"],
    )
    assert source.labels.tolist() == [2]
