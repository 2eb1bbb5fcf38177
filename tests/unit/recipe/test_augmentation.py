import numpy as np
import pytest
import tensorflow as tf

from kubefit.api.recipe import Augmentation, Flip
from kubefit_trainer.recipe import augmentation

SIZE = (6, 8)


def augmented(
    spec: Augmentation, images: np.ndarray, ids: list[int], *, epoch: int = 0
) -> np.ndarray:
    drawn = augmentation.draw(spec, np.array(ids, np.int64), size=SIZE, seed=5, epoch=epoch)
    return augmentation.apply(
        spec, tf.constant(images), transforms=drawn.transforms, contrast=drawn.contrast
    ).numpy()


def images_of(ids: list[int]) -> np.ndarray:
    pixels = np.stack([np.random.default_rng(i).integers(0, 256, (*SIZE, 3)) for i in ids])
    return pixels.astype(np.float32)


ALL = Augmentation(flip=Flip.BOTH, rotation=30, zoom=0.3, translation=0.2, crop=0.3, contrast=0.4)


def test_an_image_is_changed_alike_whatever_batch_it_is_in() -> None:
    ids = list(range(12))
    whole = augmented(ALL, images_of(ids), ids)
    for rank in range(3):
        part = ids[rank::3]
        np.testing.assert_array_equal(augmented(ALL, images_of(part), part), whole[rank::3])


def test_an_image_is_changed_otherwise_in_the_next_epoch() -> None:
    ids = list(range(4))
    first, second = (augmented(ALL, images_of(ids), ids, epoch=e) for e in (0, 1))
    assert np.abs(first - second).reshape(4, -1).max(axis=1).min() > 1


def test_an_empty_batch_stays_empty() -> None:
    assert augmented(ALL, np.zeros((0, *SIZE, 3), np.float32), []).shape == (0, *SIZE, 3)


def test_pixels_stay_in_range() -> None:
    ids = list(range(32))
    out = augmented(ALL, images_of(ids), ids)
    assert out.min() >= 0
    assert out.max() <= 255


@pytest.mark.parametrize(
    ("flip", "axes"),
    [(Flip.HORIZONTAL, [2]), (Flip.VERTICAL, [1]), (Flip.BOTH, [1, 2])],
)
def test_a_flip_mirrors_exactly_about_half_the_images(flip: Flip, axes: list[int]) -> None:
    ids = list(range(200))
    images = images_of(ids)
    out = augmented(Augmentation(flip=flip), images, ids)
    mirrored = [images]
    for axis in axes:
        mirrored += [np.flip(m, axis) for m in mirrored]
    matches = np.stack([np.isclose(out, m, atol=1e-2).all(axis=(1, 2, 3)) for m in mirrored])
    assert matches.any(axis=0).all()
    assert matches.sum(axis=1).min() > 200 / len(mirrored) * 0.6


def test_rotation_turns_about_the_centre() -> None:
    spec = Augmentation(rotation=180)
    drawn = augmentation.draw(spec, np.arange(500), size=(7, 7), seed=0, epoch=0)
    centre = np.array([3.0, 3.0, 1.0])
    for t in drawn.transforms:
        np.testing.assert_allclose([t[0:3] @ centre, t[3:6] @ centre], [3, 3], atol=1e-4)
    angles = np.degrees(np.arctan2(drawn.transforms[:, 3], drawn.transforms[:, 0]))
    assert angles.min() < -150
    assert angles.max() > 150


def test_zoom_translation_and_crop_stay_in_their_ranges() -> None:
    height, width = 40, 60
    ids = np.arange(1000)

    def draw(spec: Augmentation) -> np.ndarray:
        return augmentation.draw(spec, ids, size=(height, width), seed=0, epoch=0).transforms

    scale = draw(Augmentation(zoom=0.25))[:, 0]
    assert 1 / 1.25 <= scale.min() < 0.82
    assert 1.28 < scale.max() <= 1 / 0.75
    shift = draw(Augmentation(translation=0.1))
    assert np.abs(shift[:, 2]).max() <= width * 0.1
    assert np.abs(shift[:, 5]).max() <= height * 0.1
    cropped = draw(Augmentation(crop=0.5))
    corners = np.stack([cropped @ np.array([x, 0, 1, 0, 0, 0, 0, 0]) for x in (0, width - 1)])
    assert corners.min() >= -0.5
    assert corners.max() <= width - 0.5


def test_contrast_keeps_the_mean_of_an_image() -> None:
    ids = list(range(8))
    images = 96 + images_of(ids) / 8
    out = augmented(Augmentation(contrast=0.5), images, ids)
    np.testing.assert_allclose(out.mean(axis=(1, 2)), images.mean(axis=(1, 2)), rtol=1e-4)
    ratio = out.std(axis=(1, 2)) / images.std(axis=(1, 2))
    assert ratio.min() >= 0.5
    assert ratio.max() <= 1.5
    assert np.abs(ratio - 1).max() > 0.1


def test_without_augmentation_images_stay_as_they_are() -> None:
    ids = list(range(3))
    np.testing.assert_array_equal(augmented(Augmentation(), images_of(ids), ids), images_of(ids))
