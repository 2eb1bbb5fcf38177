import numpy as np
import pytest

from kubefit.api.recipe import Augmentation, Flip, RandAugment, ResizedCrop
from kubefit_trainer.images import augment, draws
from kubefit_trainer.images.decode import Picture

SIZE = HEIGHT, WIDTH = 6, 8
ALL = Augmentation(
    flip=Flip.BOTH,
    rotation=30,
    shear=10,
    zoom=0.3,
    translation=0.2,
    crop=0.2,
    resized_crop=ResizedCrop(),
    brightness=0.2,
    channel_shift=0.1,
    contrast=0.4,
    saturation=0.5,
    hue=0.1,
    grayscale=0.3,
    blur=1.0,
    erasing=0.5,
    rand_augment=RandAugment(operations=3),
    mix_up=0.4,
    cut_mix=1.0,
)


def image_of(sample: int) -> np.ndarray:
    return np.random.default_rng(sample).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


def augmented(spec: Augmentation, ids: list[int], *, epoch: int = 0) -> np.ndarray:
    drawn = draws.changes(spec, np.array(ids, np.int64), size=SIZE, seed=5, epoch=epoch)
    made = [
        augment.augmented(Picture(image_of(i), SIZE), change, size=SIZE, fill=spec.fill)
        for i, change in zip(ids, drawn, strict=True)
    ]
    return np.stack(made) if made else np.zeros((0, *SIZE, 3), np.uint8)


def test_an_image_is_changed_alike_whatever_batch_it_is_in() -> None:
    ids = list(range(12))
    whole = augmented(ALL, ids)
    for rank in range(3):
        np.testing.assert_array_equal(augmented(ALL, ids[rank::3]), whole[rank::3])


def test_an_image_is_mixed_alike_whatever_batch_it_is_in() -> None:
    ids = np.arange(12)
    whole = draws.mixes(ALL, ids, size=SIZE, seed=5, epoch=1)
    for rank in range(3):
        assert draws.mixes(ALL, ids[rank::3], size=SIZE, seed=5, epoch=1) == whole[rank::3]


def test_an_image_is_changed_otherwise_in_the_next_epoch() -> None:
    ids = list(range(4))
    first, second = (augmented(ALL, ids, epoch=e).astype(int) for e in (0, 1))
    assert np.abs(first - second).reshape(4, -1).max(axis=1).min() > 1


def test_a_change_that_is_switched_on_leaves_the_others_as_they_were() -> None:
    ids = np.arange(5)
    one, more = (
        draws.changes(spec, ids, size=SIZE, seed=0, epoch=0)
        for spec in (Augmentation(rotation=30), Augmentation(rotation=30, contrast=0.5, erasing=1))
    )
    for before, after in zip(one, more, strict=True):
        np.testing.assert_array_equal(before.matrix, after.matrix)


def test_no_samples_are_no_changes() -> None:
    assert augmented(ALL, []).shape == (0, *SIZE, 3)


def test_without_augmentation_images_stay_as_they_are() -> None:
    expected = np.stack([image_of(i) for i in range(3)])
    np.testing.assert_array_equal(augmented(Augmentation(), [0, 1, 2]), expected)


@pytest.mark.parametrize(
    ("flip", "axes"), [(Flip.HORIZONTAL, [2]), (Flip.VERTICAL, [1]), (Flip.BOTH, [1, 2])]
)
def test_a_flip_mirrors_exactly_about_half_the_images(flip: Flip, axes: list[int]) -> None:
    ids = list(range(200))
    found = augmented(Augmentation(flip=flip), ids)
    mirrored = [np.stack([image_of(i) for i in ids])]
    for axis in axes:
        mirrored += [np.flip(m, axis) for m in mirrored]
    matches = np.stack([(found == m).all(axis=(1, 2, 3)) for m in mirrored])
    assert matches.any(axis=0).all()
    assert matches.sum(axis=1).min() > 200 / len(mirrored) * 0.6


def maps(spec: Augmentation, size: tuple[int, int] = (40, 60)) -> np.ndarray:
    drawn = draws.changes(spec, np.arange(1000), size=size, seed=0, epoch=0)
    return np.stack([change.matrix for change in drawn])


def test_rotation_turns_about_the_centre() -> None:
    turned = maps(Augmentation(rotation=180), (7, 7))
    np.testing.assert_allclose(turned @ [3, 3, 1], 3, atol=1e-9)
    angles = np.degrees(np.arctan2(turned[:, 1, 0], turned[:, 0, 0]))
    assert angles.min() < -170
    assert angles.max() > 170


def test_zoom_translation_and_shear_stay_in_their_ranges() -> None:
    scale = maps(Augmentation(zoom=0.25))[:, 0, 0]
    assert 1 / 1.25 <= scale.min() < 0.82
    assert 1.28 < scale.max() <= 1 / 0.75
    shift = np.abs(maps(Augmentation(translation=0.1))[:, :, 2]).max(axis=0)
    assert (shift <= [6, 4]).all()
    assert (shift > [5.5, 3.6]).all()
    lean = np.degrees(np.arctan(maps(Augmentation(shear=20))[:, 0, 1]))
    assert 19 < np.abs(lean).max() <= 20


@pytest.mark.parametrize(
    "spec", [Augmentation(crop=0.5), Augmentation(resized_crop=ResizedCrop(min_area=0.1))]
)
def test_crops_stay_inside_the_image(spec: Augmentation) -> None:
    corners = maps(spec) @ np.array([[0, 0, 1], [59, 39, 1]]).T
    assert corners.min() >= -0.5
    assert (corners.max(axis=(0, 2)) <= [59.5, 39.5]).all()


def test_a_resized_crop_keeps_the_share_of_the_area_that_is_asked_for() -> None:
    linear = maps(Augmentation(resized_crop=ResizedCrop(min_area=0.3, max_stretch=1.5)))
    area = linear[:, 0, 0] * linear[:, 1, 1]
    assert 0.29 < area.min() < 0.32
    assert 0.98 < area.max() <= 1
    stretch = linear[:, 0, 0] / linear[:, 1, 1]
    assert 1.4 < max(stretch.max(), 1 / stretch.min()) <= 1.5 + 1e-9


def test_erased_rectangles_have_the_areas_that_are_promised() -> None:
    size = (100, 200)
    spec = Augmentation(erasing=0.5)
    drawn = draws.changes(spec, np.arange(1000), size=size, seed=0, epoch=0)
    boxes = np.array([change.erased for change in drawn if change.erased])
    assert 420 < len(boxes) < 580
    assert boxes.min() >= 0
    assert (boxes.max(axis=0)[2:] <= size).all()
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / 20_000
    assert 0.015 < area.min() < 0.05
    assert 0.3 < area.max() < 0.34


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0])
def test_weights_follow_the_beta_distribution(alpha: float) -> None:
    found = draws.beta(np.full(20_000, alpha), np.arange(20_000), seed=3, epoch=0)
    assert ((found >= 0) & (found <= 1)).all()
    assert found.mean() == pytest.approx(0.5, abs=0.01)
    assert found.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)


def test_mix_up_and_cut_mix_share_the_images() -> None:
    ids = np.arange(1000)

    def cuts(**spec: float) -> float:
        mixes = draws.mixes(Augmentation(**spec), ids, size=SIZE, seed=0, epoch=0)
        return sum(mix is not None and mix.cut is not None for mix in mixes) / 1000

    assert cuts(mix_up=0.2) == 0
    assert cuts(cut_mix=1.0) == 1
    assert cuts(mix_up=0.2, cut_mix=1.0) == pytest.approx(0.5, abs=0.05)


def test_the_label_of_a_pasted_rectangle_weighs_its_area() -> None:
    for mix in draws.mixes(Augmentation(cut_mix=1.0), np.arange(50), size=SIZE, seed=0, epoch=0):
        assert mix is not None
        top, left, bottom, right = mix.cut
        assert mix.share == pytest.approx(1 - (bottom - top) * (right - left) / (HEIGHT * WIDTH))
