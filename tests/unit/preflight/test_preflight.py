"""What `preflight.check` says of jobs that cannot work, before TensorFlow starts."""

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kubefit.api.contract import RunConfig
from kubefit.api.recipe import Recordings, Speech
from kubefit_trainer import preflight
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import network, recordings
from kubefit_trainer.preflight.folders import index

Change = Callable[[dict[str, Any], Path], None]


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Five images of each of two classes in folders, and six of three in an archive."""
    for name in ("cats", "dogs"):
        for i in range(5):
            file = tmp_path / "pets" / name / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (10, 8), (i, 0, 0)).save(file)
    archive(tmp_path)
    return tmp_path


def archive(folder: Path, **arrays: np.ndarray) -> None:
    images = np.zeros((6, 8, 8), np.uint8)
    np.savez(folder / "set.npz", **{"x": images, "y": np.array([0, 1, 2, 0, 1, 2]), **arrays})


def config(volume: Path, *, workers: int = 2, change: Change | None = None) -> RunConfig:
    recipe: dict[str, Any] = {
        "data": {"train": {"folder": "pets"}, "imageSize": [16, 16]},
        "model": {"blocks": [{"conv": 4}, {"pool": 2}, {"flatten": True}, {"dense": 8}]},
        "training": {"epochs": 1, "globalBatchSize": 4},
    }
    if change:
        change(recipe, volume)
    return RunConfig.model_validate(
        {
            "namespace": "default",
            "name": "pets",
            "workers": workers,
            "hosts": "localhost",
            "volumeDir": str(volume),
            "jobDir": str(volume / "job"),
            "recipe": recipe,
        }
    )


def train(**images: str) -> Change:
    return lambda recipe, _: recipe["data"].update(train=images)


def with_archive(**arrays: np.ndarray) -> Change:
    def change(recipe: dict[str, Any], volume: Path) -> None:
        archive(volume, **arrays)
        recipe["data"]["train"] = {"npz": "set.npz"}

    return change


def labels(kind: str, **arrays: np.ndarray) -> Change:
    def change(recipe: dict[str, Any], volume: Path) -> None:
        with_archive(**arrays)(recipe, volume)
        recipe["data"]["labels"] = kind

    return change


def npy(images: str, labels: str) -> Change:
    def change(recipe: dict[str, Any], volume: Path) -> None:
        pixels = np.zeros((6, 8, 8), np.uint8)
        np.save(volume / "x.npy", pixels)
        np.save(volume / "columns.npy", np.asfortranarray(pixels))
        (volume / "cut.npy").write_bytes((volume / "x.npy").read_bytes()[:-1])
        np.save(volume / "y.npy", np.array([0, 1, 2, 0, 1, 2]))
        np.save(volume / "few.npy", np.array([0, 1]))
        recipe["data"]["train"] = {"npy": {"images": images, "labels": labels}}

    return change


def manifest(splits: list[str], **sets: Any) -> Change:
    """Ten images, five of each class, with a split each."""

    def change(recipe: dict[str, Any], volume: Path) -> None:
        names = [f"{name}/{i}.png" for name in ("cats", "dogs") for i in range(5)]
        lines = [f"{n},{n[:4]},{s}" for n, s in zip(names, splits, strict=True)]
        text = "\n".join(["path,label,split", *lines])
        (volume / "pets" / "list.csv").write_text(text)
        recipe["data"].update(train={"manifest": "pets/list.csv"}, **sets)

    return change


def blocks(*wanted: dict[str, Any]) -> Change:
    return lambda recipe, _: recipe.update(model={"blocks": list(wanted)})


def backbone(size: int = 64, channels: int = 3, **wanted: Any) -> Change:
    def change(recipe: dict[str, Any], _: Path) -> None:
        recipe["model"] = {"backbone": {"weights": "none", **wanted}}
        recipe["data"].update(imageSize=[size, size], channels=channels)

    return change


def saved(path: str) -> Change:
    return lambda recipe, _: recipe.update(model={"backbone": {"saved": path}})


def stored(files: dict[str, bytes], **wanted: Any) -> Change:
    """A backbone that starts from a file."""

    def change(recipe: dict[str, Any], volume: Path) -> None:
        for name, content in files.items():
            (volume / name).write_bytes(content)
        recipe["model"] = {"backbone": wanted}
        recipe["data"].update(imageSize=[64, 64], channels=3)

    return change


def archive_of(*names: str) -> bytes:
    """An archive of such empty files, as a saved model is one."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return written.getvalue()


def training(**fields: Any) -> Change:
    return lambda recipe, _: recipe["training"].update(fields)


def output(output: str, loss: str = "auto") -> Change:
    def change(recipe: dict[str, Any], _: Path) -> None:
        recipe["model"]["output"] = output
        recipe["training"]["loss"] = loss

    return change


def both(*changes: Change) -> Change:
    return lambda recipe, volume: [change(recipe, volume) for change in changes] and None


def folders(name: str, *below: str) -> Change:
    def change(recipe: dict[str, Any], volume: Path) -> None:
        for one in below or (".",):
            (volume / name / one).mkdir(parents=True, exist_ok=True)
        recipe["data"]["train"] = {"folder": name}

    return change


def spoiled(content: bytes, *, test: bool = False) -> Change:
    def change(recipe: dict[str, Any], volume: Path) -> None:
        file = volume / "spoiled" / "dogs" / "bad.png"
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        Image.new("L", (4, 4)).save(file.with_name("good.png"))
        recipe["data"]["test" if test else "train"] = {"folder": "spoiled"}
        if not test:
            (volume / "spoiled" / "cats").mkdir()
            Image.new("L", (4, 4)).save(volume / "spoiled" / "cats" / "good.png")

    return change


def half_a_picture(recipe: dict[str, Any], volume: Path) -> None:
    (volume / "set.npz").write_bytes(b"PK\x03\x04 nothing more")
    recipe["data"]["train"] = {"npz": "set.npz"}


GOOD: list[tuple[str, Change]] = [
    ("class folders", lambda *_: None),
    ("archive", train(npz="set.npz")),
    ("test images", lambda recipe, _: recipe["data"].update(test={"folder": "pets"})),
    ("labels of one byte", with_archive(y=np.array([0, 1, 1, 0, 2, 2], np.uint8))),
    ("labels of big-endian numbers", with_archive(y=np.array([0, 1, 1, 0, 2, 2], ">i4"))),
    ("a pair of files", npy("x.npy", "y.npy")),
    ("many labels", labels("multiLabel", y=np.eye(6)[:, :4])),
    ("a number", labels("regression", y=np.linspace(-1, 1, 6))),
    ("big-endian numbers", labels("regression", y=np.ones((6, 2), ">f4"))),
    ("manifest", manifest(["train", "test"] * 5)),
    (
        "early stopping on a manifest's own validation",
        both(manifest(["train", "validation"] * 5), training(earlyStopping={})),
    ),
    ("colour archive", with_archive(x=np.zeros((6, 8, 8, 3), np.uint8))),
    ("sigmoid for two classes", output("sigmoid", "binary_crossentropy")),
    ("backbone", backbone(name="MobileNetV2")),
    ("global pooling", blocks({"conv": 4}, {"globalPool": True})),
    (
        "a window as large as the map",
        blocks({"pool": 16}, {"conv": 3, "kernel": 1}, {"flatten": True}),
    ),
]

BAD: list[tuple[str, Change, str, str]] = [
    (
        "labels of rows",
        labels("multiLabel", y=np.eye(6)[:, :4] * 2),
        "data.train.npz",
        "has 2, neith",
    ),
    ("labels of no rows", labels("multiLabel"), "data.train.npz", "shape (images, classes), not"),
    (
        "no labels at all",
        labels("multiLabel", y=np.zeros((6, 3))),
        "data.train.npz",
        "no image has a label",
    ),
    (
        "numbers that are none",
        labels("regression", y=np.array([0, 1, np.nan, 2, 3, 4])),
        "data.train.npz",
        "image 2 has nan",
    ),
    (
        "half precision",
        labels("regression", y=np.zeros(6, np.float16)),
        "data.train.npz",
        "must be numbers",
    ),
    ("missing pair", npy("none.npy", "y.npy"), "data.train.npy.images", "does not exist"),
    ("fewer labels in the pair", npy("x.npy", "few.npy"), "data.train.npy", "6 images in"),
    ("cut pair", npy("cut.npy", "y.npy"), "data.train.npy.images", "it breaks off"),
    ("columns first", npy("columns.npy", "y.npy"), "data.train.npy.images", "column by column"),
    ("pair that is none", npy("pets/cats/0.png", "y.npy"), "data.train.npy.images", "not a .npy"),
    ("class labels in the pair", npy("x.npy", "x.npy"), "data.train.npy.labels", "integers"),
    (
        "manifest beside validation images",
        manifest(["train"] * 8 + ["validation"] * 2, validation={"folder": "pets"}),
        "data.train.manifest",
        "has images of the split validation beside spec.recipe.data.validation",
    ),
    (
        "manifest beside test images",
        manifest(["train"] * 8 + ["test"] * 2, test={"folder": "pets"}),
        "data.train.manifest",
        "has images of the split test beside spec.recipe.data.test",
    ),
    (
        "manifest without training",
        manifest(["test"] * 10),
        "data.train.manifest",
        "the split train",
    ),
    (
        "manifest with one class to train on",
        manifest(["train"] * 5 + ["test"] * 5),
        "data.train",
        "only class 'cats' has images",
    ),
    (
        "early stopping on a manifest without validation",
        both(manifest(["train"] * 8 + ["test"] * 2), training(earlyStopping={})),
        "training.earlyStopping",
        "no images for validation",
    ),
    ("missing folder", train(folder="nowhere"), "data.train.folder", "nowhere does not exist"),
    ("a file for a folder", train(folder="set.npz"), "data.train.folder", "is not a folder"),
    ("empty folder", folders("empty"), "data.train.folder", "no class folders"),
    ("no images", folders("hollow", "a", "b"), "data.train.folder", "no image"),
    ("missing archive", train(npz="none.npz"), "data.train.npz", "does not exist"),
    ("folder for an archive", train(npz="pets"), "data.train.npz", "is not a file"),
    ("no archive", train(npz="pets/cats/0.png"), "data.train.npz", "not a NumPy archive"),
    ("cut archive", half_a_picture, "data.train.npz", "not a NumPy archive"),
    (
        "missing array",
        lambda r, _: r["data"].update(train={"npz": "set.npz", "imagesKey": "pixels"}),
        "data.train.npz",
        "no array 'pixels', only x, y",
    ),
    ("fewer labels", with_archive(y=np.arange(5)), "data.train.npz", "6 images in 'x' but 5"),
    ("labels of text", with_archive(y=np.array(list("abcabc"))), "data.train.npz", "integers"),
    ("labels of floats", with_archive(y=np.ones(6)), "data.train.npz", "integers"),
    ("negative label", with_archive(y=np.arange(6) - 1), "data.train.npz", "not -1"),
    ("pixels of floats", with_archive(x=np.zeros((6, 8, 8))), "data.train.npz", "uint8"),
    ("flat images", with_archive(x=np.zeros((6, 64), np.uint8)), "data.train.npz", "(6, 64)"),
    (
        "no samples",
        with_archive(x=np.zeros((0, 8, 8), np.uint8), y=np.zeros(0, int)),
        "data.train.npz",
        "no images",
    ),
    ("not an image", spoiled(b"hello"), "data.train.folder", "bad.png cannot be read"),
    ("empty image", spoiled(b""), "data.train.folder", "the file is empty"),
    ("bad test image", spoiled(b"hello", test=True), "data.test.folder", "bad.png cannot be read"),
    (
        "unknown class in the validation",
        both(
            folders("odd", "birds"),
            lambda r, _: r["data"].update(train={"folder": "pets"}, validation={"folder": "odd"}),
        ),
        "data.validation.folder",
        "'birds'",
    ),
    (
        "unknown class in the test",
        both(
            folders("odd", "birds"),
            lambda r, _: r["data"].update(train={"folder": "pets"}, test={"folder": "odd"}),
        ),
        "data.test.folder",
        "'birds'",
    ),
    (
        "unknown label in the test",
        lambda r, _: r["data"].update(test={"npz": "set.npz"}),
        "data.test.npz",
        "label 2",
    ),
    (
        "batch smaller than the workers",
        lambda r, _: r["training"].update(globalBatchSize=1),
        "training.globalBatchSize",
        "1 is less than the 2 workers",
    ),
    (
        "sigmoid for three classes",
        both(train(npz="set.npz"), output("sigmoid")),
        "model.output",
        "exactly two classes, the training images have 3",
    ),
    (
        "binary loss for softmax",
        output("softmax", "binary_crossentropy"),
        "training.loss",
        "output sigmoid",
    ),
    (
        "categorical loss for sigmoid",
        output("sigmoid", "sparse_categorical_crossentropy"),
        "training.loss",
        "output softmax",
    ),
    (
        "blocks shrink the image to nothing",
        blocks({"pool": 4}, {"conv": 4}, {"conv": 4}, {"flatten": True}),
        "model.blocks[2]",
        "conv of 3x3 does not fit a map of 2x2",
    ),
    (
        "pooling larger than the image",
        blocks({"pool": 17}, {"flatten": True}),
        "model.blocks[0]",
        "pool of 17x17 does not fit a map of 16x16",
    ),
    ("no flatten before dense", blocks({"conv": 4}, {"dense": 8}), "model.blocks[1]", "flatten"),
    ("no flatten at the end", blocks({"conv": 4}), "model.blocks", "14x14"),
    (
        "convolution of a vector",
        blocks({"flatten": True}, {"conv": 4}),
        "model.blocks[1]",
        "cannot follow",
    ),
    (
        "small image for a backbone",
        backbone(size=70, name="Xception"),
        "data.imageSize",
        "at least 71x71",
    ),
    (
        "gray image for a backbone",
        backbone(channels=1, name="ResNet50"),
        "data.channels",
        "3 channels",
    ),
    (
        "missing weights",
        backbone(name="ResNet50", weights="w.h5"),
        "model.backbone.weights",
        "w.h5 is not a file",
    ),
    (
        "folder without weights",
        backbone(name="ResNet50", weights="pets"),
        "model.backbone.weights",
        "should have one weights file",
    ),
    (
        "weights that are a web page",
        stored({"w.h5": b"<html>"}, name="ResNet50", weights="w.h5"),
        "model.backbone.weights",
        "w.h5 is no HDF5 file",
    ),
    (
        "weights of which nothing arrived",
        stored({"w.h5": b""}, name="ResNet50", weights="w.h5"),
        "model.backbone.weights",
        "w.h5 is empty",
    ),
    (
        "model that breaks off",
        stored({"m.keras": b"PK\x03\x04 and no end"}, saved="m.keras"),
        "model.backbone.saved",
        "no model that Keras 3 saved",
    ),
    (
        "archive that is no model",
        stored({"m.keras": archive_of("notes.txt")}, saved="m.keras"),
        "model.backbone.saved",
        "it has no config.json",
    ),
    ("missing model", saved("none.keras"), "model.backbone.saved", "none.keras is not a file"),
    (
        "stochastic depth without branches",
        backbone(name="VGG16", stochasticDepth=0.1),
        "model.backbone.stochasticDepth",
        "VGG16 has no branches",
    ),
    ("blocks that are frozen", training(unfreeze="none"), "training.unfreeze", "no backbone"),
    (
        "early stopping on nothing",
        training(earlyStopping={"patience": 3}),
        "training.earlyStopping",
        "no images for validation",
    ),
    (
        "early stopping of a phase on nothing",
        training(epochs=None, phases=[{"epochs": 1}, {"epochs": 2, "earlyStopping": {}}]),
        "training.phases[1].earlyStopping",
        "no images for validation",
    ),
    (
        "warm-up longer than the phase",
        training(schedule={"warmupEpochs": 1.5}),
        "training.schedule.warmupEpochs",
        "1.5 epochs are more than the 1 of the phase",
    ),
]


@pytest.mark.parametrize(("change"), [c for _, c in GOOD], ids=[name for name, _ in GOOD])
def test_a_sound_job_passes_on_every_rank(volume: Path, change: Change) -> None:
    sound = config(volume, change=change)
    assert [preflight.check(sound, rank) for rank in range(2)] == [None, None]


@pytest.mark.parametrize(
    ("change", "field", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_a_bad_job_is_named_in_one_sentence(
    volume: Path, change: Change, field: str, words: str
) -> None:
    bad = config(volume, change=change)
    said = [s for s in (preflight.check(bad, rank) for rank in range(2)) if s]
    assert said
    for sentence in said:
        assert sentence.startswith(f"spec.recipe.{field}: ")
        assert words in sentence
        assert "\n" not in sentence


def test_one_class_is_too_few(volume: Path) -> None:
    said = preflight.check(config(volume, change=folders("alone", "cats")), 0)
    assert said is not None
    assert "no image" in said
    Image.new("L", (4, 4)).save(volume / "alone" / "cats" / "0.png")
    said = preflight.check(config(volume, change=train(folder="alone")), 0)
    assert said is not None
    assert said.startswith("spec.recipe.data.train: 1 class ")


def test_images_in_folders_below_that_of_a_class_belong_to_it(tmp_path: Path) -> None:
    for name in ("b/1.png", "b/x/y/1.png", "b/a.PNG", "b/.hidden/1.png", "a/1.jpg", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a/around").symlink_to(tmp_path / "b")
    found = index(tmp_path, ["a", "b"], field="x")
    names = [str(Path(file).relative_to(tmp_path)) for file in found.files]
    assert names == ["a/1.jpg", "b/1.png", "b/a.PNG", "b/x/y/1.png"]
    assert list(found.labels) == [0, 1, 1, 1]


def test_a_class_folder_without_images_is_no_class(volume: Path) -> None:
    for file in (volume / "pets" / "dogs").iterdir():
        file.unlink()
    said = preflight.check(config(volume), 0)
    assert said == (
        "spec.recipe.data.train: only class 'cats' has images; a classifier needs two or more"
    )


@pytest.mark.parametrize("split", ["validationSplit", "testSplit"])
def test_a_class_with_one_image_cannot_be_split(volume: Path, split: str) -> None:
    for file in list((volume / "pets" / "dogs").iterdir())[1:]:
        file.unlink()
    assert preflight.check(config(volume), 0) is None
    bad = config(volume, change=lambda recipe, _: recipe["data"].update({split: 0.2}))
    said = preflight.check(bad, 0)
    assert said is not None
    assert said.startswith("spec.recipe.data.train: class 'dogs' has one image")


def test_all_bad_files_are_named_together(volume: Path) -> None:
    cats = volume / "pets" / "cats"
    (cats / "0.png").write_bytes(b"")
    (cats / "2.png").write_bytes(b"<html>")
    said = preflight.check(config(volume, workers=1), 0)
    assert said is not None
    assert "cats/0.png cannot be read (the file is empty)" in said
    assert "cats/2.png cannot be read (not PNG, JPEG, WEBP, BMP or GIF)" in said
    assert said.endswith("replace them or take them out")


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "bmp", "gif"])
def test_an_image_that_breaks_off_is_found_before_training(volume: Path, kind: str) -> None:
    file = volume / "pets" / "cats" / f"torn.{kind}"
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    Image.fromarray(noise).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole + b"written by some camera" * 10)
    assert preflight.check(config(volume, workers=1), 0) is None
    file.write_bytes(whole[: len(whole) // 2])
    assert f"{file} cannot be read (" in (preflight.check(config(volume, workers=1), 0) or "")


def test_an_image_of_too_many_pixels_is_named(volume: Path) -> None:
    file = volume / "pets" / "cats" / "huge.png"
    Image.new("1", (20000, 10000)).save(file)
    said = preflight.check(config(volume, workers=1), 0) or ""
    assert f"{file} cannot be read (more than 178 million pixels)" in said


def test_images_of_every_mode_and_depth_are_accepted_together(volume: Path) -> None:
    cats = volume / "pets" / "cats"
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(cats / "deep.png")
    Image.new("CMYK", (8, 8)).save(cats / "printed.jpg")
    for mode in ("1", "L", "LA", "P", "RGBA"):
        Image.new(mode, (8, 8)).save(cats / f"{mode}.png")
    assert preflight.check(config(volume, workers=1), 0) is None


def test_images_that_are_to_be_skipped_are_no_fault(volume: Path) -> None:
    (volume / "pets" / "cats" / "0.png").write_bytes(b"")
    job = config(volume, change=lambda r, _: r["data"].update(onUnreadable="skip"))
    assert [preflight.check(job, rank) for rank in range(2)] == [None, None]


def test_more_workers_than_images_are_refused(volume: Path) -> None:
    said = preflight.check(config(volume, workers=11), 0)
    assert said == (
        "spec.workers: 11 workers are more than the 10 training images (of 10, validationSplit 0)"
    )


def test_images_held_out_do_not_count_for_the_workers(volume: Path) -> None:
    def halved(recipe: dict[str, Any], _: Path) -> None:
        recipe["data"]["validationSplit"] = 0.5

    said = preflight.check(config(volume, workers=6, change=halved), 0)
    assert said is not None
    assert said.startswith("spec.workers: 6 workers are more than the 5 training images")


def test_only_lines_of_the_split_train_count_for_the_workers(volume: Path) -> None:
    parts = ["train", *["test"] * 8, "train"]
    said = preflight.check(config(volume, workers=3, change=manifest(parts)), 0)
    assert said is not None
    assert said.startswith("spec.workers: 3 workers are more than the 2 training images (of 10,")


def test_each_rank_looks_at_its_own_images(volume: Path) -> None:
    (volume / "pets" / "cats" / "1.png").write_bytes(b"broken")
    job = config(volume)
    assert preflight.check(job, 0) is None
    assert "cats/1.png" in (preflight.check(job, 1) or "")


def test_absolute_paths_are_taken_as_they_are(volume: Path, tmp_path: Path) -> None:
    job = config(volume, change=train(folder=str(volume / "pets")))
    assert preflight.check(job.model_copy(update={"volume_dir": "/nonexistent"}), 0) is None


def test_a_job_without_a_recipe_passes(volume: Path) -> None:
    assert preflight.check(config(volume).model_copy(update={"recipe": None}), 0) is None


def test_neither_tensorflow_nor_numpy_is_imported() -> None:
    program = (
        "import sys; from kubefit_trainer import preflight;"
        "print(sorted({'tensorflow', 'keras', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_filters_without_columns_to_halve_are_refused() -> None:
    asked = {"train": {"folder": "set"}, "sampleRate": 1060, "seconds": 0.64, "mels": 64}
    speech = Speech.model_validate({**asked, "network": {"filters": [4] * 6}})
    with pytest.raises(ConfigurationError) as told:
        network.check_hearing(speech)
    assert str(told.value) == (
        "spec.recipe.speech.network.filters: 6 filters need 64 columns to halve, and 0.64 s at 1060"
        " Hz have 63, one each 11 samples; raise seconds or leave filters out"
    )
    network.check_hearing(speech.model_copy(update={"seconds": 0.65}))


def test_a_list_of_recordings_speaks_of_recordings(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,label\n")
    with pytest.raises(ConfigurationError, match=r"list\.csv lists no recordings"):
        recordings.index(Recordings(manifest="list.csv"), tmp_path, field="f", known=None)
