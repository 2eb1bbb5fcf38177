import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyarrow import csv, parquet

from kubefit.api.recipe import SOURCES, Data, Images, LabelKind
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images import augment, pack, survey
from kubefit_trainer.images.decode import Picture
from kubefit_trainer.preflight import packs
from kubefit_trainer.recipe.sources import Source, open_source

SIZE = (24, 24)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Eight photos of each of two classes, as JPEG and PNG, and small ones."""
    for label, name in enumerate(("cats", "dogs")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(8):
            random = np.random.default_rng(10 * label + i)
            coarse = Image.fromarray(random.integers(0, 256, (5, 7, 3)).astype(np.uint8))
            photo = coarse.resize((20, 15) if i == 7 else (180, 120), Image.Resampling.BICUBIC)
            suffix = "png" if i % 2 else "jpg"
            photo.save(tmp_path / "pets" / name / f"{i}.{suffix}", quality=95)
    return tmp_path


def packed(
    volume: Path,
    *,
    side: int = 48,
    skip: bool = False,
    kind: LabelKind = LabelKind.SINGLE_LABEL,
    **source: Any,
) -> pack.Packed:
    return pack.pack(
        images_of(source or {"folder": "pets"}, volume),
        volume / "packed",
        kind=kind,
        side=side,
        quality=95,
        skip_unreadable=skip,
        threads=2,
        watch=lambda samples, total: samples,
    )


def images_of(source: dict[str, Any], volume: Path) -> Images:
    """With absolute paths, as `kubefit data` has them."""
    absolute = {k: str(volume / v) if k in SOURCES else v for k, v in source.items()}
    return Images.model_validate(absolute)


def looked_at(path: Path, *, full: bool = True) -> survey.Survey:
    images = survey.images_at(path)
    labels = survey.labels_of(images)
    return survey.survey(images, labels=labels, full=full, threads=2, watch=lambda i, n: i)


def opened(volume: Path, labels: str = "singleLabel", **train: Any) -> Source:
    data = Data.model_validate({"train": train, "imageSize": list(SIZE), "labels": labels})
    return open_source(data.train, data, volume=volume, field="spec.recipe.data.train")


def pixels(picture: Picture) -> np.ndarray:
    return augment.resized(picture, size=SIZE).astype(int)


def test_a_pack_gives_the_images_and_labels_of_the_folder_in_its_order(volume: Path) -> None:
    written = packed(volume)
    assert (written.images, written.names, written.shards) == (16, 2, 1)
    folder, pack_ = opened(volume, folder="pets"), opened(volume, packed="packed")
    assert pack_.classes == folder.classes == ["cats", "dogs"]
    np.testing.assert_array_equal(pack_.labels, folder.labels)
    for sample in range(16):
        found, expected = (pixels(source.picture(sample)) for source in (pack_, folder))
        assert np.abs(found - expected).mean() < 2


def test_images_become_no_larger_than_asked_for_and_small_ones_stay_as_they_are(volume) -> None:
    packed(volume)
    read = packs.read(volume / "packed", field="x")
    found = looked_at(volume / "packed")
    assert set(found.sizes) == {(48, 72), (15, 20)}
    assert read.content(7) == (volume / "pets" / "cats" / "7.png").read_bytes()


def test_formats_without_loss_stay_without_loss(volume: Path) -> None:
    packed(volume)
    found = looked_at(volume / "packed")
    assert found.kinds == {"PNG RGB": 8, "JPEG RGB": 8}


def test_unpacked_shards_are_class_folders_again(volume: Path) -> None:
    packed(volume)
    with tarfile.open(volume / "packed" / "00000.tar") as shard:
        shard.extractall(volume / "unpacked", filter="data")
    again, first = opened(volume, folder="unpacked"), opened(volume, packed="packed")
    assert again.classes == first.classes
    np.testing.assert_array_equal(again.labels, first.labels)
    for sample in range(16):
        np.testing.assert_array_equal(again.picture(sample).pixels, first.picture(sample).pixels)


def test_shards_are_begun_anew_when_they_are_full(volume: Path, monkeypatch) -> None:
    monkeypatch.setattr(pack, "SHARD_BYTES", 10_000)
    written = packed(volume)
    assert written.shards > 2
    source = opened(volume, packed="packed")
    assert [source.picture(i).pixels.shape[2] for i in range(16)] == [3] * 16


def test_files_that_differ_in_their_suffix_only_are_both_kept(volume: Path) -> None:
    image = Image.new("RGB", (99, 99), (1, 2, 3))
    image.save(volume / "pets" / "cats" / "same.bmp")
    image.save(volume / "pets" / "cats" / "same.gif")
    assert packed(volume).images == 18
    with tarfile.open(volume / "packed" / "00000.tar") as shard:
        assert {"cats/same.png", "cats/same-1.png"} <= set(shard.getnames())


def test_unreadable_images_are_all_named_and_nothing_is_written(volume: Path) -> None:
    broken(volume)
    with pytest.raises(ConfigurationError, match=r"0\.jpg cannot be read .*2\.jpg cannot be read"):
        packed(volume)
    assert not (volume / "packed").exists()
    assert not list(volume.glob(".partial*"))


def test_unreadable_images_are_left_out_and_named_where_that_is_asked_for(volume: Path) -> None:
    broken(volume)
    written = packed(volume, skip=True)
    assert written.images == 14
    described = json.loads((volume / "packed" / "dataset.json").read_text())["skipped"]
    names = {Path(file).name for file in described}
    assert names == {"0.jpg", "2.jpg"} == {Path(file).name for file in written.skipped}
    assert opened(volume, packed="packed").labels.tolist() == [0] * 6 + [1] * 8


def broken(volume: Path) -> None:
    cats = volume / "pets" / "cats"
    (cats / "0.jpg").write_bytes(b"")
    (cats / "2.jpg").write_bytes((cats / "2.jpg").read_bytes()[:900])


def test_what_exists_is_not_written_over(volume: Path) -> None:
    (volume / "packed").mkdir()
    with pytest.raises(ConfigurationError, match=r"^OUT: .* exists; name a folder"):
        packed(volume)


MANIFESTS = {
    "singleLabel": (
        {},
        "path,label,split,weight",
        ["old,train,1", "young,test,0.5", "old,train,2"],
    ),
    "multiLabel": ({}, "path,label,split", ["old|wet,train", ",train", "wet,validation"]),
    "regression": (
        {"labelColumns": ["age", "mass"]},
        "path,age,mass,weight",
        ["1.5,20,1", "2,-30,3", "0.25,7,1"],
    ),
}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("labels", MANIFESTS)
def test_a_pack_of_a_manifest_says_what_the_manifest_says(
    volume: Path, labels: str, suffix: str
) -> None:
    told, header, cells = MANIFESTS[labels]
    files = ["dogs/1.png", "cats/7.png", "cats/0.jpg"]
    lines = [f"{file},{row}" for file, row in zip(files, cells, strict=True)]
    listed = volume / "pets" / "list.csv"
    listed.write_text("\n".join([header, *lines]))
    if suffix == "parquet":
        parquet.write_table(csv.read_csv(listed), listed.with_suffix(".parquet"))
    source = {"manifest": f"pets/list.{suffix}", **told}
    written = packed(volume, side=999, kind=LabelKind(labels), **source)
    assert written.images == 3
    manifest = opened(volume, labels, **source)
    pack_ = opened(volume, labels, packed="packed")
    assert pack_.classes == manifest.classes
    for name in ("labels", "splits", "weights"):
        np.testing.assert_array_equal(getattr(pack_, name), getattr(manifest, name))
    for sample in range(3):
        one, other = (source.picture(sample).pixels for source in (manifest, pack_))
        np.testing.assert_array_equal(one, other)


def test_labels_splits_and_weights_of_what_is_left_out_are_left_out(volume: Path) -> None:
    broken(volume)
    rows = ["cats/0.jpg,a,train,1", "cats/1.png,b,test,2", "cats/2.jpg,a,test,3"]
    rows += ["dogs/0.jpg,a,validation,4"]
    (volume / "pets" / "list.csv").write_text("\n".join(["path,label,split,weight", *rows]))
    packed(volume, skip=True, manifest="pets/list.csv")
    source = opened(volume, packed="packed")
    assert source.labels.tolist() == [1, 0]
    assert source.splits.tolist() == [2, 1]
    assert source.weights.tolist() == [2, 4]


def test_a_pack_of_other_labels_than_the_recipe_has_is_refused(volume: Path) -> None:
    packed(volume)
    with pytest.raises(ConfigurationError, match="packed with labels singleLabel, not regression"):
        opened(volume, "regression", packed="packed")


def test_classes_of_a_pack_that_training_does_not_know_are_named(volume: Path) -> None:
    packed(volume)
    data = Data.model_validate({"train": {"packed": "packed"}, "imageSize": list(SIZE)})
    with pytest.raises(ConfigurationError, match="label 'dogs' is not among the classes"):
        open_source(data.train, data, volume=volume, field="f", classes=["birds", "cats"])


def test_arrays_are_not_packed(volume: Path) -> None:
    np.savez(volume / "set.npz", x=np.zeros((5, 8, 9), np.uint8), y=[0, 2, 2, 0, 2])
    with pytest.raises(ConfigurationError, match=r"set\.npz holds arrays"):
        packed(volume, npz="set.npz")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "00000.tar").unlink(), "00000.tar is missing"),
        (lambda folder: (folder / "00000.tar").write_bytes(b"0" * 99), "00000.tar is cut short"),
        (lambda folder: (folder / "index.bin").write_bytes(b"0" * 240), "is incomplete"),
        (lambda folder: (folder / "labels.bin").write_bytes(b"0" * 4), "is incomplete"),
        (lambda folder: (folder / "dataset.json").unlink(), "is not what kubefit data pack wrote"),
    ],
)
def test_a_damaged_pack_is_refused(volume: Path, damage, said: str) -> None:
    packed(volume)
    damage(volume / "packed")
    with pytest.raises(ConfigurationError, match=said) as raised:
        opened(volume, packed="packed")
    assert str(raised.value).startswith("spec.recipe.data.train.packed: ")


def test_a_survey_tells_classes_sizes_formats_and_bad_files(volume: Path) -> None:
    broken(volume)
    found = looked_at(volume / "pets")
    assert found.kind == "folder"
    assert found.classes == {"cats": 6, "dogs": 8}
    assert sorted(set(found.sizes)) == [(15, 20), (120, 180)]
    reasons = {Path(file).name: reason for file, reason in found.unreadable.items()}
    assert reasons["0.jpg"] == "the file is empty"
    assert "damaged" in reasons["2.jpg"]


def test_headers_alone_do_not_show_that_a_file_breaks_off(volume: Path) -> None:
    broken(volume)
    found = looked_at(volume / "pets", full=False)
    assert {Path(file).name for file in found.unreadable} == {"0.jpg"}


def test_a_survey_of_an_archive(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((5, 8, 9), np.uint8), y=[0, 2, 2, 0, 2])
    found = looked_at(tmp_path / "set.npz")
    assert found.classes == {"0": 2, "1": 0, "2": 3}
    assert found.sizes == [(8, 9)] * 5
    assert survey.warnings(found) == ["class '1' has no image"]


@pytest.mark.parametrize(
    ("classes", "kinds", "said"),
    [
        ({"a": 5}, {"JPEG RGB": 5}, "one class is too few"),
        ({"a": 5, "b": 1}, {"JPEG RGB": 6}, "class 'b' has one image"),
        ({"a": 50, "b": 3}, {"JPEG RGB": 53}, "the largest class has 50 images, the smallest 3"),
        ({"a": 5, "b": 5}, {"PNG I;16": 1, "PNG RGB": 9}, "modes are mixed"),
    ],
)
def test_what_makes_images_hard_to_train_on_is_said(classes, kinds, said: str) -> None:
    found = survey.Survey(kind="folder", classes=classes, kinds=survey.Counter(kinds))
    (sentence,) = survey.warnings(found)
    assert said in sentence
