"""Images in TFRecord files that TensorFlow wrote, read without it."""

import io
import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from kubefit.api.recipe import Images, LabelKind
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import indexing


def png(level: int) -> bytes:
    data = io.BytesIO()
    Image.new("L", (4, 4), level).save(data, "PNG")
    return data.getvalue()


def feature(values: list[Any]) -> tf.train.Feature:
    if values and isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if values and isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def write(path: Path, *examples: dict[str, list[Any]], options: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), options or None) as writer:
        for one in examples:
            features = {name: feature(values) for name, values in one.items()}
            whole = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(whole.SerializeToString())


def write_labels(folder: Path, *labels: list[Any]) -> None:
    """Two files, the second with the last label alone; the level of image i is i."""
    examples = [
        {"a text": [b"x" * 300], "image/encoded": [png(i)], "image/class/label": label}
        for i, label in enumerate(labels)
    ]
    write(folder / "set" / "a.tfrecord", *examples[:-1])
    write(folder / "set" / "b.tfrecord", examples[-1])


def indexed(
    folder: Path,
    *,
    kind: str = "singleLabel",
    known: list[str] | None = None,
    **spec: Any,
) -> indexing.Indexed:
    images = Images.model_validate({"tfrecord": {"files": "set", **spec}})
    return indexing.index(images, LabelKind(kind), folder, field="x.tfrecord", known=known)


def rows(found: indexing.Indexed) -> list[list[float]]:
    return np.reshape(found.labels.rows, (-1, len(found.labels.names))).tolist()


def test_class_numbers_and_images_are_found_in_any_order(tmp_path: Path) -> None:
    write_labels(tmp_path, [2], [0], [1])
    found = indexed(tmp_path)
    assert found.labels.names == ["0", "1", "2"]
    assert list(found.labels.classes) == [2, 0, 1]
    assert [found.encoded.open(i).read() for i in (2, 0, 1)] == [png(2), png(0), png(1)]
    assert found.encoded.name(2).startswith("at byte ")
    assert found.encoded.name(2).endswith("set/b.tfrecord")


def test_classes_are_named_by_the_recipe_or_by_the_label_itself(tmp_path: Path) -> None:
    write_labels(tmp_path, [1], [0], [1])
    assert indexed(tmp_path, classes=["cat", "dog"]).labels.names == ["cat", "dog"]
    write_labels(tmp_path, [b"dog"], [b"cat"], [b"dog"])
    found = indexed(tmp_path)
    assert found.labels.names == ["cat", "dog"]
    assert list(found.labels.classes) == [1, 0, 1]


def test_classes_of_other_sets_are_those_of_training_by_name(tmp_path: Path) -> None:
    write_labels(tmp_path, [0], [1], [1])
    one = indexed(tmp_path, classes=["dog", "cat"], known=["cat", "dog"])
    assert one.labels.names == ["cat", "dog"]
    assert list(one.labels.classes) == [1, 0, 0]
    write_labels(tmp_path, [0, 2], [], [1])
    known = ["ant", "cat", "dog", "owl"]
    many = indexed(tmp_path, kind="multiLabel", classes=["dog", "cat", "ant"], known=known)
    assert many.labels.names == known
    assert rows(many) == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]


def test_a_pattern_names_some_of_the_files(tmp_path: Path) -> None:
    write_labels(tmp_path, [0], [1], [1])
    assert len(indexed(tmp_path, files="set/a*.tfrecord").labels) == 2


def test_any_number_of_classes_and_of_numbers_are_labels(tmp_path: Path) -> None:
    write_labels(tmp_path, [0, 2], [], [1])
    many = indexed(tmp_path, kind="multiLabel", classes=["a", "b", "c", "d"])
    assert many.labels.names == ["a", "b", "c", "d"]
    assert rows(many) == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    write_labels(tmp_path, [0.5, -1.0], [2.0, 1e9], [0.0, 0.25])
    assert rows(indexed(tmp_path, kind="regression")) == [[0.5, -1], [2, 1e9], [0, 0.25]]
    write_labels(tmp_path, [-7], [2**40], [1])
    assert rows(indexed(tmp_path, kind="regression")) == [[-7], [2**40], [1]]


@pytest.mark.parametrize(
    ("labels", "spec", "said"),
    [
        ([[0], [1]], {"files": "none-*"}, "x.tfrecord.files: there is no file .*/none-*"),
        ([[0], [1]], {"imageKey": "pixels"}, "record 0 of .*a.tfrecord has no feature 'pixels'"),
        ([[0], [1]], {"labelKey": "y"}, "'y' of image 0 is nothing, not one class number or name"),
        ([[0], [1, 2]], {}, "of image 1 is 1, 2, not one class number or name"),
        ([[0], [b"a"]], {}, "of image 1 is b'a', not one class number"),
        ([[0.5], [1]], {}, "of image 0 is 0.5, not one class"),
        ([[0], [-1]], {}, "must be 0 to classes - 1, not -1"),
        ([[0], [2]], {"classes": ["a", "b"]}, "label 2 is not among the 2 classes that are named"),
        ([[0], [2]], {"known": ["a", "b"]}, "label 2 is not among the 2 classes of the training"),
        ([[1.0], [1.0, 2.0]], {"kind": "regression"}, "image 1 is 1.0, 2.0, not 1 numbers"),
        ([[], []], {"kind": "multiLabel"}, "no image has a label"),
        ([[0], [1]], {"imageKey": "image/class/label"}, "is no tf.train.Example with one encoded"),
    ],
)
def test_records_that_do_not_hold_what_is_described_are_named(
    tmp_path: Path, labels: list[list[Any]], spec: dict[str, Any], said: str
) -> None:
    write_labels(tmp_path, *labels)
    with pytest.raises(ConfigurationError, match=said) as raised:
        indexed(tmp_path, **spec)
    assert str(raised.value).startswith("x.tfrecord")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: data[:-5], "a.tfrecord breaks off in record 1"),
        (
            lambda data: b"no records at all, but a text",
            "breaks off in record 0, or is no TFRecord",
        ),
        (lambda data: data[:12] + b"\xff" * (len(data) - 12), "record 0 of .* is no tf.train.Exam"),
        (lambda data: b"", "has no record"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, spoil: Any, said: str) -> None:
    write_labels(tmp_path, [0], [1], [0])
    file = tmp_path / "set" / "a.tfrecord"
    file.write_bytes(spoil(file.read_bytes()))
    (tmp_path / "set" / "b.tfrecord").unlink()
    with pytest.raises(ConfigurationError, match=said):
        indexed(tmp_path)


@pytest.mark.parametrize("noise", [0, 1_000_000])
def test_compressed_files_are_refused(tmp_path: Path, noise: int) -> None:
    """The beginning of a large one reads as the length of a record that fits into it."""
    example = {"image/encoded": [png(0)], "noise": [random.Random(0).randbytes(noise)]}
    write(tmp_path / "set" / "a.gz", example, options="GZIP")
    with pytest.raises(ConfigurationError, match=r"a\.gz is compressed"):
        indexed(tmp_path)


@pytest.mark.parametrize("length", [0x8B1F, 0x88B1F])
def test_a_record_as_long_as_compressed_files_begin_is_none(tmp_path: Path, length: int) -> None:
    example = {"image/encoded": [png(0)], "image/class/label": [0], "text": [bytes(length - 500)]}
    file = tmp_path / "set" / "a.tfrecord"
    write(file, example)
    (begun,) = struct.unpack_from("<Q", file.read_bytes())
    example["text"] = [bytes(2 * length - 500 - begun)]
    write(file, example)
    assert file.read_bytes()[:3] == length.to_bytes(3, "little")
    assert indexed(tmp_path).encoded.open(0).read() == png(0)


class Pets(tfds.core.GeneratorBasedBuilder):
    """A set as people define it for `tfds`."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["cat", "dog", "owl"]),
            "tags": tfds.features.Sequence(tfds.features.ClassLabel(names=["sun", "sea"])),
            "age": np.float32,
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples(12), "test": self._generate_examples(3)}

    def _generate_examples(self, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for i in range(count):
            pixels = np.full((6, 5, 3), i, np.uint8)
            tags = [place for place in range(2) if i >> place & 1]
            yield i, {"image": pixels, "label": i % 3, "tags": tags, "age": i / 2}


@pytest.fixture(scope="module")
def by_tfds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tfds")
    Pets(data_dir=str(folder)).download_and_prepare()
    return folder


@pytest.mark.parametrize(
    ("kind", "key", "names", "answer"),
    [
        ("singleLabel", "label", ["cat", "dog", "owl"], lambda i: i % 3),
        ("multiLabel", "tags", ["sun", "sea"], lambda i: [i & 1, i >> 1 & 1]),
        ("regression", "age", ["age"], lambda i: [i / 2]),
    ],
)
@pytest.mark.parametrize(("split", "count"), [("train", 12), ("test", 3)])
def test_what_tfds_has_prepared_is_read_whole(
    by_tfds: Path, kind: str, key: str, names: list[str], answer: Any, split: str, count: int
) -> None:
    wanted = {"folder": "pets/1.0.0", "split": split, "labelKey": key}
    images = Images.model_validate({"tfds": wanted})
    found = indexing.index(images, LabelKind(kind), by_tfds, field="x.tfds", known=None)
    levels = []
    for sample in range(len(found.encoded)):
        with Image.open(found.encoded.open(sample)) as image:
            levels.append(image.getpixel((0, 0))[0])
    assert sorted(levels) == list(range(count))
    assert found.labels.names == names
    labels = rows(found) if found.labels.rows is not None else list(found.labels.classes)
    assert labels == [answer(level) for level in levels]


def prepare(folder: Path, **changes: Any) -> None:
    """What `tfds` writes of a set with two shards for training."""
    info = {
        "name": "pets",
        "version": "1.0.0",
        "fileFormat": "tfrecord",
        "splits": [
            {
                "name": "train",
                "shardLengths": ["2", "1"],
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
        ],
        **changes,
    }
    classes = "tensorflow_datasets.core.features.class_label_feature.ClassLabel"
    features = {
        "image": {"image": {"shape": {"dimensions": ["-1", "-1", "1"]}, "encodingFormat": "png"}},
        "label": {"pythonClassName": classes, "classLabel": {"numClasses": "3"}},
    }
    target = folder / "pets" / "1.0.0"
    for shard, levels in enumerate(([0, 1], [2])):
        examples = [{"image": [png(level)], "label": [level]} for level in levels]
        write(target / f"pets-train.tfrecord-{shard:05}-of-00002", *examples)
    (target / "dataset_info.json").write_text(json.dumps(info))
    (target / "features.json").write_text(json.dumps({"featuresDict": {"features": features}}))
    (target / "label.labels.txt").write_text("cat\ndog\nowl\n")


def prepared(volume: Path, *, known: list[str] | None = None, **spec: Any) -> indexing.Indexed:
    images = Images.model_validate({"tfds": {"folder": "pets/1.0.0", **spec}})
    return indexing.index(images, LabelKind.SINGLE_LABEL, volume, field="x.tfds", known=known)


def test_a_prepared_set_has_its_shards_in_order_and_its_class_names(tmp_path: Path) -> None:
    prepare(tmp_path)
    found = prepared(tmp_path)
    assert found.labels.names == ["cat", "dog", "owl"]
    assert list(found.labels.classes) == [0, 1, 2]
    assert [found.encoded.open(i).read() for i in range(3)] == [png(i) for i in range(3)]


def test_a_prepared_set_without_class_names_goes_by_number(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert list(prepared(tmp_path, known=["owl", "dog", "cat"]).labels.classes) == [2, 1, 0]
    (tmp_path / "pets" / "1.0.0" / "label.labels.txt").unlink()
    assert list(prepared(tmp_path, known=["owl", "dog", "cat"]).labels.classes) == [0, 1, 2]
    assert prepared(tmp_path).labels.names == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("changes", "spec", "said"),
    [
        ({}, {"folder": "pets"}, "folder: .*/pets is not what tfds prepares, as dataset_info.json"),
        ({}, {"split": "test"}, "split: .* has no split 'test', only train"),
        ({}, {"imageKey": "photo"}, "imageKey: .* has no feature 'photo', only image, label"),
        ({"fileFormat": "array_record"}, {}, "holds array_record files; prepare the set with"),
        ({"splits": [{"name": "train"}]}, {}, "its descriptions lack 'shardLengths'"),
        (
            {"splits": [{"name": "train", "shardLengths": ["2", "2"]}]},
            {},
            "has 3 images in the split train, but should have 4",
        ),
        (
            {"splits": [{"name": "train", "shardLengths": ["1", "1", "1"]}]},
            {},
            "pets-train.tfrecord-00000-of-00003: No such file",
        ),
    ],
)
def test_a_folder_that_is_no_prepared_set_is_named(
    tmp_path: Path, changes: dict[str, Any], spec: dict[str, str], said: str
) -> None:
    prepare(tmp_path, **changes)
    with pytest.raises(ConfigurationError, match=said) as raised:
        prepared(tmp_path, **spec)
    assert str(raised.value).startswith("x.tfds.")
