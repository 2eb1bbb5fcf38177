"""Labels of sets beside the training images are those of the training images, by name."""

from array import array

import pytest

from kubefit.api.recipe import LabelKind
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight.labels import Labels, numbered, places, table

MANY, NUMBERS = LabelKind.MULTI_LABEL, LabelKind.REGRESSION


def found(labels: list[int], names: list[str] | None, known: list[str] | None) -> list[str]:
    """Name of the class of each image, as training names it."""
    read = numbered(labels, names=names, known=known, where="x.files")
    assert known is None or read.names == known
    return [read.names[label] for label in read.classes or ()]


def of_columns(names: list[str], known: list[str], kind: LabelKind = NUMBERS) -> Labels:
    rows = array("f", [0.5, 2, -1, 4]) if kind is NUMBERS else array("B", [1, 0, 0, 1])
    return table(rows, names=names, known=known, kind=kind, where="x.manifest")


def test_named_class_numbers_are_the_classes_of_that_name_in_training() -> None:
    assert found([0, 1, 1], ["dog", "cat"], ["cat", "dog"]) == ["dog", "cat", "cat"]
    assert found([1], ["cat", "owl"], ["ant", "cat", "dog", "owl"]) == ["owl"]
    assert found([0, 1], ["1", "0"], ["0", "1"]) == ["1", "0"]


def test_a_named_class_that_training_lacks_is_refused_where_an_image_has_it() -> None:
    names, known = ["cow", "cat"], ["cat", "dog"]
    assert found([1, 1], names, known) == ["cat", "cat"]
    said = "^x.files: label 'cow' is not among the classes of the training images"
    with pytest.raises(ConfigurationError, match=said):
        found([1, 0], names, known)
    with pytest.raises(ConfigurationError, match="label '0' is not among"):
        found([0, 1], ["0", "1"], ["cat", "dog"])


def test_class_numbers_without_names_on_either_side_go_by_number() -> None:
    assert found([1, 0], None, ["cat", "dog"]) == ["dog", "cat"]
    assert found([1, 0], ["cat", "dog"], ["0", "1"]) == ["1", "0"]
    with pytest.raises(ConfigurationError, match="label 'owl' is not among"):
        found([1, 2], ["cat", "dog", "owl"], ["0", "1"])
    assert places(2, known=None) == ["0", "1"]
    assert places(2, known=["cat", "dog"]) == ["cat", "dog"]
    assert places(2, known=["cat"]) == ["0", "1"]


@pytest.mark.parametrize("known", [["0", "1"], ["cat"], ["dog", "cat", "owl"], None])
def test_a_number_beyond_the_names_of_its_set_is_refused(known: list[str] | None) -> None:
    with pytest.raises(ConfigurationError, match="label 2 is not among the 2 classes that are"):
        found([0, 2], ["cat", "dog"], known)


@pytest.mark.parametrize("kind", [MANY, NUMBERS])
def test_named_columns_are_in_the_order_of_training(kind: LabelKind) -> None:
    read = of_columns(["dog", "cat"], ["cat", "dog"], kind)
    assert read.names == ["cat", "dog"]
    assert list(read.rows or ()) == ([2, 0.5, 4, -1] if kind is NUMBERS else [0, 1, 1, 0])


def test_three_columns_go_each_to_its_place() -> None:
    rows = array("f", [1, 2, 3, 4, 5, 6])
    read = table(rows, names=["b", "c", "a"], known=["a", "b", "c"], kind=NUMBERS, where="x")
    assert list(read.rows or ()) == [3, 1, 2, 6, 4, 5]


@pytest.mark.parametrize("kind", [MANY, NUMBERS])
@pytest.mark.parametrize("names", [["cat", "cow"], ["cat", "cat"]])
def test_columns_that_are_not_those_of_training_are_refused(
    names: list[str], kind: LabelKind
) -> None:
    said = f"^x.manifest: {', '.join(names)} for each image, but not 'dog', which the training"
    with pytest.raises(ConfigurationError, match=said):
        of_columns(names, ["cat", "dog"], kind)


def test_numbers_that_training_does_not_name_go_by_place() -> None:
    assert list(of_columns(["cat", "dog"], ["0", "1"]).rows or ()) == [0.5, 2, -1, 4]
    assert list(of_columns(["1", "0"], ["0", "1"]).rows or ()) == [2, 0.5, 4, -1]


def test_a_single_number_is_that_of_training_whatever_its_name() -> None:
    read = of_columns(["age"], ["years"])
    assert read.names == ["years"]
    assert list(read.rows or ()) == [0.5, 2, -1, 4]
