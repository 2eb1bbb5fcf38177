import keras
import numpy as np
import pytest

from kubefit.api.recipe import Recipe, resolve
from kubefit_trainer.images.draws import Mix
from kubefit_trainer.recipe import network, targets

LABELS, PARTNERS = np.array([0, 1, 1], np.int32), np.array([1, 1, 0], np.int32)


def recipe(output: str, **augmentation: float) -> Recipe:
    return resolve(
        Recipe.model_validate(
            {
                "data": {"train": {"folder": "x"}, "imageSize": [8, 8], "channels": 1},
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


def test_mixed_targets_of_one_unit_are_shares_of_the_second_class() -> None:
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
