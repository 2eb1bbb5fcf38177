from pathlib import Path

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from kubefit.api.recipe import Images, LabelKind, Recipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import manifests
from kubefit_trainer.recipe import inputs


def listed(
    folder: Path,
    text: str,
    known: list[str] | None = None,
    kind: str = "singleLabel",
    **images: object,
) -> manifests.Manifest:
    (folder / "list.csv").write_text(text)
    spec = Images.model_validate({"manifest": "list.csv", **images})
    path = folder / "list.csv"
    return manifests.read(path, spec, LabelKind(kind), known=known, field="x.manifest")


def rows(found: manifests.Manifest) -> list[list[float]]:
    return np.reshape(found.labels.rows, (-1, len(found.labels.names))).tolist()


def test_a_manifest_gives_files_classes_splits_and_weights(tmp_path: Path) -> None:
    found = listed(
        tmp_path,
        "label,path,split,weight\ndog,a/1.png,train,1\ncat,2.png,test,0.5\ndog,3.png,validation,2\n",
    )
    assert list(found.files) == [f"{tmp_path}/{name}" for name in ("a/1.png", "2.png", "3.png")]
    assert found.labels.names == ["cat", "dog"]
    assert list(found.labels.classes) == [1, 0, 1]
    assert list(found.splits) == [0, 2, 1]
    assert list(found.weights) == [1, 0.5, 2]


def test_absolute_paths_of_a_manifest_stand_as_they_are(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 7).save(tmp_path / "1.png")
    (tmp_path / "lists").mkdir()
    found = listed(tmp_path / "lists", f"path,label\n{tmp_path}/1.png,cat\n../1.png,cat\n")
    assert found.files.name(0) == f"{tmp_path}/1.png"
    for sample in range(2):
        with Image.open(found.files.open(sample)) as image:
            assert image.getpixel((0, 0)) == 7


def test_classes_that_are_numbers_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    found = listed(tmp_path, "path,label\na,10\nb,9\nc,10\n")
    assert found.labels.names == ["9", "10"]
    assert list(found.labels.classes) == [1, 0, 1]
    assert found.splits is None
    assert found.weights is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,label\na,b\n", "has no column 'path', only file, label"),
        ("", "has no column 'path', only nothing"),
        ("path,label\n", "lists no images"),
        ("path,label\na.png,cat\nb.png,\n", "line 3 of .* has no label"),
        ("path,label,split\na.png,cat,dev\n", "line 2 of .*: split 'dev' is not train, validation"),
        ("path,label,weight\na.png,cat,-1\n", "weight '-1' is not a number of at least 0"),
        ("path,label,weight\na.png,cat,much\n", "weight 'much' is not a number of at least 0"),
        ("path,label\na.png,fish\n", "label 'fish' is not among the classes"),
        ('path,label\na.png,cat\n"b.png,dog\nc.png,cat\n', "line 3 has a quote that does not end"),
        ('path,label\n"a".png,cat\n', "line 2 has a quote that does not end, or ends within"),
        ("path,label\na.png\n", "line 2 of .* has no label"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        listed(tmp_path, text, known=["cat", "dog"])
    assert str(raised.value).startswith("x.manifest: ")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    spec, kind = Images(manifest="nothing.csv"), LabelKind.SINGLE_LABEL
    with pytest.raises(ConfigurationError, match="cannot be read as CSV"):
        manifests.read(tmp_path / "nothing.csv", spec, kind, known=None, field="x.manifest")


def test_one_column_lists_any_number_of_classes(tmp_path: Path) -> None:
    found = listed(
        tmp_path,
        "path,tags\na,sun;sea\nb,\nc, sea ;\n",
        kind="multiLabel",
        labelColumns=["tags"],
        labelSeparator=";",
    )
    assert found.labels.names == ["sea", "sun"]
    assert rows(found) == [[1, 1], [0, 0], [1, 0]]


def test_columns_of_zeros_and_ones_are_classes(tmp_path: Path) -> None:
    text = "path,sun,sea\na,1,0\nb,0,0\nc,1.0,1\n"
    found = listed(tmp_path, text, kind="multiLabel", labelColumns=["sun", "sea"])
    assert found.labels.names == ["sun", "sea"]
    assert rows(found) == [[1, 0], [0, 0], [1, 1]]


def test_columns_of_numbers_are_what_is_predicted(tmp_path: Path) -> None:
    text = "path,age,height\na,31,1.75\nb,-2.5e1,0\n"
    found = listed(tmp_path, text, kind="regression", labelColumns=["height", "age"])
    assert found.labels.names == ["height", "age"]
    assert rows(found) == [[1.75, 31], [0, -25]]


def test_columns_of_another_set_are_in_the_order_of_training(tmp_path: Path) -> None:
    text, known = "path,age,height\na,31,1.75\nb,-25,0\n", ["age", "height"]
    found = listed(tmp_path, text, known, kind="regression", labelColumns=["height", "age"])
    assert found.labels.names == known
    assert rows(found) == [[31, 1.75], [-25, 0]]


@pytest.mark.parametrize(
    ("kind", "columns", "text", "said"),
    [
        ("multiLabel", ["label"], "path,label\na,fish\n", "'fish' is not among the classes"),
        ("multiLabel", ["x", "y"], "path,x,y\na,1,2\n", "line 2 of .*: y '2' is neither 0 nor 1"),
        ("multiLabel", ["x", "z"], "path,x,y\na,1,2\n", "no column 'z', only path, x, y"),
        ("regression", ["x"], "path,x\na,1\nb,\n", "line 3 of .*: x '' is not a finite number"),
        ("regression", ["x"], "path,x\na,inf\n", "x 'inf' is not a finite number"),
        ("regression", ["x"], "path,x\na,1\n", "1 for each image, but 2 for each of the training"),
    ],
)
def test_labels_that_cannot_be_used_are_named(
    tmp_path: Path, kind: str, columns: list[str], text: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        listed(tmp_path, text, known=["a", "b"], kind=kind, labelColumns=columns)


def in_parquet(folder: Path, kind: str, **columns: list[object]) -> manifests.Manifest:
    path = folder / "list.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    spec = Images(manifest="list.parquet")
    return manifests.read(path, spec, LabelKind(kind), known=None, field="x.manifest")


def test_a_parquet_file_lists_what_a_csv_file_lists(tmp_path: Path) -> None:
    found = in_parquet(
        tmp_path,
        "singleLabel",
        path=["a/1.png", "2.png", "3.png"],
        label=[10, 9, 10],
        split=["train", "test", "validation"],
        weight=[1.0, 0.5, 2.0],
        notes=["not", "read", "at all"],
    )
    assert list(found.files) == [f"{tmp_path}/{name}" for name in ("a/1.png", "2.png", "3.png")]
    assert found.labels.names == ["9", "10"]
    assert list(found.labels.classes) == [1, 0, 1]
    assert list(found.splits) == [0, 2, 1]
    assert list(found.weights) == [1, 0.5, 2]


def test_lists_and_numbers_of_a_parquet_file_are_labels(tmp_path: Path) -> None:
    many = in_parquet(tmp_path, "multiLabel", path=["a", "b"], label=[["sun", "sea"], []])
    assert many.labels.names == ["sea", "sun"]
    assert rows(many) == [[1, 1], [0, 0]]
    numbers = in_parquet(tmp_path, "regression", path=["a", "b"], label=[0.5, -2.0])
    assert rows(numbers) == [[0.5], [-2]]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"file": ["a"], "label": ["b"]}, "no column 'path', only file, label"),
        ({"path": ["a", None], "label": ["b", "c"]}, "row 1 of .*list.parquet has no path"),
        ({"path": ["a", "b"], "label": ["b", None]}, "row 1 of .*list.parquet has no label"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(
    tmp_path: Path, columns: dict[str, list[object]], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        in_parquet(tmp_path, "singleLabel", **columns)


def test_a_file_that_is_no_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.parquet").write_text("path,label")
    spec, kind = Images(manifest="list.parquet"), LabelKind.SINGLE_LABEL
    with pytest.raises(
        ConfigurationError, match=r"list\.parquet cannot be read as Parquet"
    ) as raised:
        manifests.read(tmp_path / "list.parquet", spec, kind, known=None, field="x.manifest")
    assert "\n" not in str(raised.value)


def opened(folder: Path, **data: object) -> inputs.Inputs:
    rows = ["path,label,split,weight"]
    for i in range(8):
        Image.new("L", (4, 4), i).save(folder / f"{i}.png")
        part = "validation" if i == 6 else "test" if i == 7 else "train"
        rows.append(f"{i}.png,{'ab'[i % 3 == 0]},{part},{1 + i}")
    (folder / "list.csv").write_text("\n".join(rows))
    recipe = Recipe.model_validate(
        {
            "data": {
                "train": {"manifest": "list.csv"},
                "imageSize": [4, 4],
                "channels": 1,
                **data,
            },
            "model": {"blocks": [{"flatten": True}]},
            "training": {"epochs": 1},
        }
    )
    return inputs.open_inputs(recipe, folder)


def test_splits_and_weights_of_a_manifest_are_kept(tmp_path: Path) -> None:
    found = opened(tmp_path)
    assert found.train.samples.tolist() == list(range(6))
    assert found.validation.samples.tolist() == [6]
    assert found.evaluation.samples.tolist() == [7]
    assert found.train.weights.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found.train.source.picture(5).pixels[0, 0, 0] == 5


def test_a_manifest_without_images_of_a_wanted_split_is_named(tmp_path: Path) -> None:
    opened(tmp_path)
    rows = (tmp_path / "list.csv").read_text()
    (tmp_path / "none.csv").write_text(rows.replace("validation", "train"))
    said = r"spec.recipe.data.validation.manifest: none of its 8 images has the split validation"
    with pytest.raises(ConfigurationError, match=said):
        opened(tmp_path, validation={"manifest": "none.csv"})


def test_balanced_classes_weigh_the_same_and_the_mean_weight_is_one(tmp_path: Path) -> None:
    weights = opened(tmp_path, classWeights="balanced").train.weights / np.arange(1, 9)
    labels = np.array([1, 0, 0, 1, 0, 0])
    assert weights[:6][labels == 0].sum() == pytest.approx(weights[:6][labels == 1].sum())
    assert weights[:6].mean() == pytest.approx(1)
