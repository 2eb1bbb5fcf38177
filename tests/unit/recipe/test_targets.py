import keras
import numpy as np
import pytest

from kubefit.api.recipe import Loss, Recipe, resolve
from kubefit_trainer.images.draws import Mix
from kubefit_trainer.recipe import network, targets

LABELS, PARTNERS = np.array([0, 1, 1], np.int32), np.array([1, 1, 0], np.int32)


def recipe(output: str, *, labels: str = "singleLabel", **augmentation: float) -> Recipe:
    return resolve(
        Recipe.model_validate(
            {
                "data": {
                    "train": {"npz": "x"},
                    "labels": labels,
                    "imageSize": [8, 8],
                    "channels": 1,
                },
                "augmentation": augmentation,
                "model": {"blocks": [{"flatten": True}], "output": output},
                "training": {"epochs": 1},
            }
        )
    )


def mixed(output: str) -> np.ndarray:
    """Targets of three images: 0.7 of a 0 in a 1, a 1 in a 1, and a 1 that is not mixed."""
    mixes = [Mix(share=0.7, cut=None), Mix(share=0.4, cut=None), None]
    spec = recipe(output, mixUp=0.2, labelSmoothing=0.1)
    return targets.mixed(LABELS, PARTNERS, mixes, spec, classes=2)


def test_mixed_targets_of_classes_are_smoothed_shares_of_each() -> None:
    np.testing.assert_allclose(
        mixed("softmax"), [[0.7 * 0.9 + 0.05, 0.3 * 0.9 + 0.05], [0.05, 0.95], [0.05, 0.95]]
    )


def test_mixed_targets_of_one_unit_are_rows_of_the_second_class() -> None:
    np.testing.assert_allclose(mixed("sigmoid"), [[0.3 * 0.9 + 0.05], [0.95], [0.95]])


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_targets_are_labels_where_nothing_is_mixed(output: str) -> None:
    found = targets.plain(LABELS, recipe(output), classes=2)
    np.testing.assert_array_equal(found, LABELS)
    assert found.dtype == np.int32


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_loss_and_accuracy_of_shares_are_those_computed_by_hand(output: str) -> None:
    keras.utils.set_random_seed(0)
    spec = recipe(output, mixUp=0.2, labelSmoothing=0.1)
    model = network.build(spec, classes=2)
    assert spec.training.phases is not None
    network.prepare(model, spec, spec.training.phases[0], steps_per_epoch=1)
    images = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 1)).astype(np.float32)
    found = model.evaluate(images, mixed(output), return_dict=True, verbose=0)
    second = model(images).numpy()[:, -1]
    share = mixed("sigmoid")[:, 0]
    loss = -(share * np.log(second) + (1 - share) * np.log(1 - second)).mean()
    right = np.mean((share > 0.5) == (second > 0.5))
    assert found == {"loss": pytest.approx(loss, rel=1e-5), "accuracy": pytest.approx(right)}


def test_mixed_targets_of_many_labels_are_shares_of_each_smoothed_to_one_half() -> None:
    labels, partners = np.array([[1, 0, 0]], np.uint8), np.array([[1, 1, 0]], np.uint8)
    spec = recipe("auto", labels="multiLabel", mixUp=0.2, labelSmoothing=0.1)
    found = targets.mixed(labels, partners, [Mix(share=0.7, cut=None)], spec, classes=3)
    np.testing.assert_allclose(found, [[0.95, 0.3 * 0.9 + 0.05, 0.05]], rtol=1e-6)


def test_mixed_numbers_are_between_those_of_the_two_images() -> None:
    labels, partners = np.array([[10.0], [3.0]], np.float32), np.array([[20.0], [9.0]], np.float32)
    mixes = [Mix(share=0.7, cut=None), None]
    spec = recipe("auto", labels="regression", mixUp=0.2)
    np.testing.assert_allclose(
        targets.mixed(labels, partners, mixes, spec, classes=1), [[13.0], [3.0]]
    )


def evaluated(spec: Recipe, answers: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """What a network says of noise, and how Keras judges it."""
    keras.utils.set_random_seed(0)
    model = network.build(spec, classes=answers.shape[1])
    assert spec.training.phases is not None
    network.prepare(model, spec, spec.training.phases[0], steps_per_epoch=1)
    images = np.random.default_rng(0).integers(0, 255, (len(answers), 8, 8, 1)).astype(np.float32)
    return model.evaluate(images, answers, return_dict=True, verbose=0), model(images).numpy()


def test_each_of_many_labels_is_judged_by_itself() -> None:
    answers = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], np.float32)
    found, said = evaluated(recipe("auto", labels="multiLabel"), answers)
    loss = -(answers * np.log(said) + (1 - answers) * np.log(1 - said)).mean()
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    assert found["accuracy"] == pytest.approx(np.mean((said > 0.5) == answers))
    assert 0 <= found["auc"] <= 1


@pytest.mark.parametrize("loss", ["auto", "mean_absolute_error", "huber"])
def test_numbers_are_judged_by_their_errors(loss: str) -> None:
    answers = np.array([[1.5, -2], [0.5, 3]], np.float32)
    spec = recipe("auto", labels="regression")
    training = spec.training.model_copy(update={"loss": Loss(loss)})
    found, said = evaluated(spec.model_copy(update={"training": training}), answers)
    error = np.abs(said - answers)
    huber = np.where(error <= 1, error**2 / 2, error - 0.5)
    expected = {"auto": error**2, "mean_absolute_error": error, "huber": huber}[loss]
    assert found["loss"] == pytest.approx(expected.mean(), rel=1e-5)
    assert found["mean_absolute_error"] == pytest.approx(error.mean(), rel=1e-5)
