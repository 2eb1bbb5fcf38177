"""The figures are those of scikit-learn, for any predictions."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.exceptions import UndefinedMetricWarning

from kubefit_trainer.evaluation import calibration, many_labels, numbers, one_label, ranking
from kubefit_trainer.evaluation.findings import Averages

CLASSES = ["ant", "bee", "cat", "dog"]
SEEDS = st.integers(0, 2**32 - 1)


def probabilities(random: np.random.Generator, images: int, classes: int) -> np.ndarray:
    """Rows that add up to 1; few distinct values, so that many are equal."""
    weights = random.integers(1, 6, (images, classes)).astype(np.float64)
    return weights / weights.sum(axis=1, keepdims=True)


def of_sklearn(truth: np.ndarray, predicted: np.ndarray, average: str) -> Averages:
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, predicted, average=average, zero_division=0
    )
    return Averages(precision=precision, recall=recall, f1=f1)


def same(found: Averages, expected: Averages) -> bool:
    return found.model_dump() == pytest.approx(expected.model_dump())


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, images=st.integers(1, 40), classes=st.integers(2, 4))
def test_one_label(seed: int, images: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    scores = probabilities(random, images, classes)
    found = one_label.findings(labels, scores, CLASSES[:classes])
    predicted = scores.argmax(axis=1)
    everyone = list(range(classes))
    assert found["metrics"]["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found["matrix"] == metrics.confusion_matrix(labels, predicted, labels=everyone).tolist()
    assert same(found["averages"]["macro"], of_sklearn(labels, predicted, "macro"))
    assert same(found["averages"]["weighted"], of_sklearn(labels, predicted, "weighted"))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=everyone, zero_division=0
    )
    assert [c.precision for c in found["classes"]] == pytest.approx(precision.tolist())
    assert [c.recall for c in found["classes"]] == pytest.approx(recall.tolist())
    assert [c.f1 for c in found["classes"]] == pytest.approx(f1.tolist())
    assert [c.images for c in found["classes"]] == support.tolist()
    off_diagonal = np.array(found["matrix"]) * (1 - np.eye(classes, dtype=int))
    told = {(c.actual, c.predicted): c.images for c in found["confusions"]}
    assert told == {
        (CLASSES[i], CLASSES[j]): off_diagonal[i, j]
        for i, j in zip(*np.nonzero(off_diagonal), strict=True)
    }


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, images=st.integers(2, 60))
def test_area_under_the_roc_curve(seed: int, images: int) -> None:
    random = np.random.default_rng(seed)
    positive = random.integers(0, 2, images).astype(bool)
    scores = random.integers(0, 8, images) / 7
    if positive.all() or not positive.any():
        assert ranking.area(positive, scores) is None
    else:
        expected = metrics.roc_auc_score(positive, scores)
        assert ranking.area(positive, scores) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, k=st.integers(1, 4), images=st.integers(1, 30))
def test_top_k_where_no_scores_are_equal(seed: int, k: int, images: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, images)
    scores = random.permuted(np.tile([0.1, 0.2, 0.3, 0.4], (images, 1)), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        expected = metrics.top_k_accuracy_score(labels, scores, k=k, labels=range(4))
    assert (ranking.places(labels, scores) < k).mean() == pytest.approx(expected)


def test_of_equal_scores_the_first_class_comes_first_as_it_is_the_predicted_one() -> None:
    scores = np.full((2, 3), 1 / 3)
    assert ranking.places(np.array([0, 2]), scores).tolist() == [0, 2]


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, images=st.integers(1, 80))
def test_reliability(seed: int, images: int) -> None:
    random = np.random.default_rng(seed)
    confidence = random.uniform(size=images)
    right = random.uniform(size=images) < confidence
    found = calibration.calibration(confidence, right)
    shares, means = calibration_curve(right, confidence, n_bins=calibration.BINS)
    assert [b.share for b in found.bins] == pytest.approx(shares.tolist())
    assert [b.confidence for b in found.bins] == pytest.approx(means.tolist())
    assert sum(b.predictions for b in found.bins) == images
    weights = [b.predictions / images for b in found.bins]
    gaps = np.abs(shares - means)
    assert found.expected_error == pytest.approx(float(np.dot(weights, gaps)))


def test_certainty_falls_into_the_last_bin_and_none_into_the_first() -> None:
    found = calibration.calibration(np.array([1.0, 0.0]), np.array([True, False]))
    assert [(b.lower, b.upper) for b in found.bins] == [(0.0, 0.1), (0.9, 1.0)]
    assert found.expected_error == 0.0


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, images=st.integers(2, 40), classes=st.integers(2, 4))
def test_many_labels(seed: int, images: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    flags = random.integers(0, 2, (images, classes)).astype(bool)
    scores = random.integers(0, 6, (images, classes)) / 5
    found = many_labels.findings(flags, scores, CLASSES[:classes])
    predicted = scores > 0.5
    assert found["metrics"]["exactMatch"] == pytest.approx(metrics.accuracy_score(flags, predicted))
    hamming = metrics.hamming_loss(flags, predicted)
    assert found["metrics"]["accuracy"] == pytest.approx(1 - hamming)
    assert same(found["averages"]["micro"], of_sklearn(flags, predicted, "micro"))
    assert same(found["averages"]["weighted"], of_sklearn(flags, predicted, "weighted"))
    seen = flags.any(axis=0) | predicted.any(axis=0)
    if seen.all():
        assert same(found["averages"]["macro"], of_sklearn(flags, predicted, "macro"))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, images=st.integers(2, 40), size=st.integers(1, 3))
def test_numbers(seed: int, images: int, size: int) -> None:
    random = np.random.default_rng(seed)
    truth, predicted = random.normal(5, 3, (2, images, size))
    found = numbers.findings(truth, predicted, CLASSES[:size])
    one_by_one = {"multioutput": "raw_values"}
    assert [n.mean_absolute_error for n in found["numbers"]] == pytest.approx(
        metrics.mean_absolute_error(truth, predicted, **one_by_one).tolist()
    )
    assert [n.root_mean_squared_error for n in found["numbers"]] == pytest.approx(
        metrics.root_mean_squared_error(truth, predicted, **one_by_one).tolist()
    )
    assert [n.r2 for n in found["numbers"]] == pytest.approx(
        metrics.r2_score(truth, predicted, **one_by_one).tolist()
    )
    assert [n.bias for n in found["numbers"]] == pytest.approx(
        (predicted.mean(axis=0) - truth.mean(axis=0)).tolist()
    )
