"""Splits of images with any number of classes have each class in its share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubefit_trainer.recipe import order, stratify


@st.composite
def label_sets(draw: st.DrawFn) -> np.ndarray:
    """Frequent and rare classes, images without any included."""
    images, classes = draw(st.integers(4, 60)), draw(st.integers(1, 6))
    shares = 0.6 ** np.arange(classes)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return (random.random((images, classes)) < shares).astype(np.uint8)


@given(label_sets(), st.floats(0, 0.4), st.floats(0, 0.4), st.integers(0, 1000))
def test_every_image_is_in_one_part_of_the_size_asked_for(flags, validation, test, seed) -> None:
    found = order.split_labels(flags, validation=validation, test=test, seed=seed)
    parts = [found.training, found.validation, found.test]
    assert sorted(np.concatenate(parts)) == list(range(len(flags)))
    assert all((np.diff(part) > 0).all() for part in parts)
    alike = order.split(np.zeros(len(flags), np.int32), validation=validation, test=test, seed=seed)
    assert [len(part) for part in parts] == [
        len(part) for part in (alike.training, alike.validation, alike.test)
    ]


@given(st.integers(2, 8), st.integers(1, 20), st.integers(0, 1000))
def test_classes_that_exclude_each_other_are_shared_out_exactly(classes, times, seed) -> None:
    flags = np.eye(classes, dtype=np.uint8)[np.arange(classes * 5 * times) % classes]
    found = order.split_labels(flags, validation=0.2, test=0.2, seed=seed)
    for part, each in ((found.training, 3), (found.validation, 1), (found.test, 1)):
        assert flags[part].sum(axis=0).tolist() == [each * times] * classes


@pytest.mark.parametrize("seed", range(5))
def test_rare_classes_are_in_every_part(seed: int) -> None:
    random = np.random.default_rng(seed)
    shares = np.array([0.5, 0.3, 0.2, 0.05, 0.02])
    flags = (random.random((1000, 5)) < shares).astype(np.uint8)
    found = order.split_labels(flags, validation=0.2, test=0.1, seed=seed)
    total = flags.sum(axis=0)
    for part, share in ((found.training, 0.7), (found.validation, 0.2), (found.test, 0.1)):
        assert np.abs(flags[part].sum(axis=0) - share * total).max() <= 2


def test_the_seed_alone_chooses() -> None:
    flags = (np.arange(200)[:, None] >> np.arange(3)) % 2
    first, again, other = (
        order.split_labels(flags, validation=0.3, test=0, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.validation, again.validation)
    assert first.validation.tolist() != other.validation.tolist()


def test_no_class_at_all_is_no_fault() -> None:
    none = np.zeros((5, 2), np.uint8)
    assert [len(part) for part in stratify.parts(none, [3, 2], np.arange(5))] == [3, 2]
