from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kubefit.api.recipe import Recipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import manifests
from kubefit_trainer.recipe import inputs


def listed(folder: Path, text: str, known: list[str] | None = None) -> manifests.Manifest:
    (folder / "list.csv").write_text(text)
    return manifests.read(folder / "list.csv", known=known, field="x.manifest")


def test_a_manifest_gives_files_classes_splits_and_weights(tmp_path: Path) -> None:
    found = listed(
        tmp_path,
        "label,path,split,weight\ndog,a/1.png,train,1\ncat,2.png,test,0.5\ndog,3.png,validation,2\n",
    )
    assert list(found.files) == [f"{tmp_path}/{name}" for name in ("a/1.png", "2.png", "3.png")]
    assert found.classes == ["cat", "dog"]
    assert list(found.labels) == [1, 0, 1]
    assert list(found.splits) == [0, 2, 1]
    assert list(found.weights) == [1, 0.5, 2]


def test_classes_that_are_numbers_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    found = listed(tmp_path, "path,label\na,10\nb,9\nc,10\n")
    assert found.classes == ["9", "10"]
    assert list(found.labels) == [1, 0, 1]
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
        ("path,label\na.png,fish\n", "label 'fish' of .* is not among the classes"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        listed(tmp_path, text, known=["cat", "dog"])
    assert str(raised.value).startswith("x.manifest: ")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read as CSV"):
        manifests.read(tmp_path / "nothing.csv", known=None, field="x.manifest")


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
