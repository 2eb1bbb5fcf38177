"""Each change of an image does what the layer of Keras does with the same parameters.

Ours are rounded to whole levels of 0 to 255, hence the tolerances of about one level.
"""

import keras
import numpy as np
import pytest

from kubefit.api.recipe import Augmentation, Fill, RandAugment
from kubefit_trainer.images import augment, colour, draws, geometry
from kubefit_trainer.images.colour import Levels
from kubefit_trainer.images.decode import Picture
from kubefit_trainer.images.draws import Change, Mix, Operation

layers = keras.layers
SIZE = HEIGHT, WIDTH = 24, 36
BATCH = 6


def photos() -> np.ndarray:
    """Smooth colours with some noise, uint8."""
    random = np.random.default_rng(4)
    coarse = random.uniform(0, 255, (BATCH, 6, 9, 3))
    smooth = np.asarray(keras.ops.image.resize(coarse, SIZE, interpolation="bicubic"))
    return (smooth + random.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)


def floats(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32)


def matrices(**changes: object) -> np.ndarray:
    plain = {
        "angle": np.zeros(BATCH),
        "shear": np.zeros(BATCH),
        "scale": (np.ones(BATCH), np.ones(BATCH)),
        "shift": (np.zeros(BATCH), np.zeros(BATCH)),
    }
    return geometry.maps(size=SIZE, **{**plain, **changes})


def warped(maps: np.ndarray, fill: Fill = Fill.REFLECT) -> np.ndarray:
    return np.stack(
        [
            geometry.resample(Picture(image, SIZE), one, size=SIZE, fill=fill)
            for image, one in zip(photos(), maps, strict=True)
        ]
    )


def same(found: np.ndarray, expected: object, *, levels: float = 0.51) -> None:
    np.testing.assert_allclose(floats(found), np.asarray(expected), rtol=0, atol=levels)


SPREAD = np.linspace(-1, 1, BATCH)


@pytest.mark.parametrize("fill", [Fill.REFLECT, Fill.NEAREST, Fill.CONSTANT])
def test_rotation(fill: Fill) -> None:
    angle = np.deg2rad(40) * SPREAD
    layer = layers.RandomRotation(0.5, fill_mode=fill.value)
    matrix = layer._compute_affine_matrix(
        center_x=0.5,
        center_y=0.5,
        angle=keras.ops.array(np.rad2deg(angle), "float32"),
        translate_x=keras.ops.zeros(BATCH),
        translate_y=keras.ops.zeros(BATCH),
        scale=keras.ops.ones(BATCH),
        shear_x=keras.ops.zeros(BATCH),
        shear_y=keras.ops.zeros(BATCH),
        height=HEIGHT,
        width=WIDTH,
    )
    expected = layer.transform_images(floats(photos()), {"rotation_matrix": matrix})
    same(warped(matrices(angle=angle), fill), expected)


def test_wrapping_repeats_the_image() -> None:
    """In Keras the last half pixel of each side is another; here the image goes on smoothly."""
    maps = matrices(angle=np.deg2rad(40) * SPREAD)
    tiled = np.tile(photos(), (1, 3, 3, 1))
    size = (3 * HEIGHT, 3 * WIDTH)
    for image, whole, one in zip(photos(), tiled, maps, strict=True):
        offset = np.array([WIDTH, HEIGHT])
        moved = one.copy()
        moved[:, 2] += offset - one[:, :2] @ offset
        expected = geometry.resample(Picture(whole, size), moved, size=size, fill=Fill.REFLECT)
        found = geometry.resample(Picture(image, SIZE), one, size=SIZE, fill=Fill.WRAP)
        same(found, expected[HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH], levels=1)


def test_zoom() -> None:
    zoom = 1 + 0.4 * SPREAD
    factors = {"height_zoom": zoom[:, None], "width_zoom": zoom[:, None], "input_shape": None}
    expected = layers.RandomZoom(0.4).transform_images(floats(photos()), factors)
    same(warped(matrices(scale=(zoom, zoom))), expected)


def test_shear() -> None:
    lean = 0.5 * SPREAD
    factors = {
        "shear_factor": np.stack([lean, 0 * lean], 1).astype("float32"),
        "input_shape": (BATCH, *SIZE, 3),
    }
    expected = layers.RandomShear(0.5, 0.0).transform_images(floats(photos()), factors)
    # Keras leans about the upper edge, ours about the centre.
    shift = lean * (HEIGHT - 1) / 2
    same(warped(matrices(shear=lean, shift=(shift, np.zeros(BATCH)))), expected)


def test_translation() -> None:
    dx, dy = 9.5 * SPREAD, -4.25 * SPREAD
    moved = {
        "translations": np.stack([dx, dy], 1).astype("float32"),
        "input_shape": (BATCH, *SIZE, 3),
    }
    expected = layers.RandomTranslation(0.3, 0.3).transform_images(floats(photos()), moved)
    same(warped(matrices(shift=(-dx, -dy))), expected)


@pytest.mark.parametrize(("mode", "x", "y"), [("horizontal", -1, 1), ("vertical", 1, -1)])
def test_flip(mode: str, x: int, y: int) -> None:
    layer = layers.RandomFlip(mode)
    flips = {"flips": np.ones((BATCH, 1, 1, 1), bool), "input_shape": None}
    expected = layer.transform_images(floats(photos()), flips)
    same(warped(matrices(scale=(x * np.ones(BATCH), y * np.ones(BATCH)))), expected, levels=0)


def test_a_random_resized_crop_is_a_crop_and_a_resize() -> None:
    top, left, height, width = 3, 10, 12, 18
    scale = (np.full(BATCH, width / WIDTH), np.full(BATCH, height / HEIGHT))
    shift = (
        np.full(BATCH, left + width / 2 - WIDTH / 2),
        np.full(BATCH, top + height / 2 - HEIGHT / 2),
    )
    cut = photos()[:, top : top + height, left : left + width]
    expected = np.asarray(layers.Resizing(*SIZE)(floats(cut)))
    found = warped(matrices(scale=scale, shift=shift))
    # At the border ours sees the pixels beyond the crop, which Keras has cut away.
    same(found[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1])


def tabled(act: str, *arguments: object) -> np.ndarray:
    out = []
    for image in photos():
        levels = Levels.of(image)
        getattr(levels, act)(*arguments)
        out.append(levels.apply(image))
    return np.stack(out)


@pytest.mark.parametrize("delta", [-90.0, 70.0])
def test_brightness(delta: float) -> None:
    layer = layers.RandomBrightness(1.0)
    expected = layer.transform_images(floats(photos()), {"rgb_delta": np.float32(delta)})
    same(tabled("shift", delta), expected)


@pytest.mark.parametrize("factor", [0.4, 1.7])
def test_contrast(factor: float) -> None:
    layer = layers.RandomContrast(0.9)
    drawn = {"contrast_factor": np.full((BATCH, 1, 1, 1), factor, "float32")}
    expected = layer.transform_images(floats(photos()), drawn)
    same(tabled("contrast", factor), expected)


@pytest.mark.parametrize("factor", [0.3, 1.0, 1.8])
def test_saturation(factor: float) -> None:
    layer = layers.RandomSaturation(0.5, value_range=(0, 1))
    drawn = {"factor": np.full(BATCH, factor, "float32")}
    expected = 255 * layer.transform_images(floats(photos()) / 255, drawn)
    found = [colour.hue_and_saturation(p, turn=0.0, factor=factor) for p in photos()]
    same(np.stack(found), expected)


@pytest.mark.parametrize("turn", [-0.4, 0.1, 0.5])
def test_hue(turn: float) -> None:
    layer = layers.RandomHue(1.0)
    expected = layer.transform_images(floats(photos()), {"factor": np.full(BATCH, turn, "float32")})
    found = [colour.hue_and_saturation(p, turn=turn, factor=1.0) for p in photos()]
    same(np.stack(found), expected)


def test_grayscale() -> None:
    layer = layers.RandomGrayscale(1.0)
    expected = layer.transform_images(floats(photos()), np.ones((BATCH, 1, 1, 1), bool))
    same(np.stack([colour.mix_channels(p, colour=0.0) for p in photos()]), expected, levels=0.6)


@pytest.mark.parametrize("factor", [0.3, -0.4])
def test_saturation_of_rand_augment_blends_with_gray(factor: float) -> None:
    layer = layers.RandomColorDegeneration(1.0, value_range=(0, 255))
    drawn = {"factor": np.full((BATCH, 1, 1, 1), -factor, "float32")}
    expected = layer.transform_images(floats(photos()), drawn)
    found = [colour.mix_channels(p, colour=1 + factor) for p in photos()]
    same(np.stack(found), expected, levels=0.75)


@pytest.mark.parametrize("amount", [-0.7, 0.9])
def test_sharpness(amount: float) -> None:
    layer = layers.RandomSharpness(1.0, value_range=(0, 255))
    drawn = {"factor": np.full(BATCH, (1 + amount) / 2, "float32")}
    expected = np.asarray(layer.transform_images(floats(photos()), drawn))
    found = np.stack([colour.sharpen(p, amount) for p in photos()])
    # Keras puts black around the image.
    same(found[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1])


@pytest.mark.parametrize("bits", [1, 4, 7])
def test_posterization(bits: int) -> None:
    layer = layers.RandomPosterization((bits, bits), value_range=(0, 255))
    drawn = {"shift_factor": np.full(BATCH, 8 - bits, "uint8")}
    same(tabled("posterize", bits), layer.transform_images(floats(photos()), drawn), levels=0)


def test_solarization() -> None:
    layer = layers.Solarization(value_range=(0, 255))
    shape = (BATCH, 1, 1, 1)
    drawn = {"additions": np.zeros(shape, "float32"), "thresholds": np.full(shape, 100, "float32")}
    expected = layer.transform_images(floats(photos()), drawn)
    same(tabled("solarize", 100.0), expected, levels=0)


def test_auto_contrast() -> None:
    narrow = (photos() // 2 + 40).astype(np.uint8)
    expected = layers.AutoContrast(value_range=(0, 255)).transform_images(floats(narrow), {})
    found = []
    for image in narrow:
        levels = Levels.of(image)
        levels.auto_contrast()
        found.append(levels.apply(image))
    same(np.stack(found), expected)


def test_equalization() -> None:
    layer = layers.Equalization(value_range=(0, 255))
    # Keras takes one histogram of the whole batch, ours is the image's own.
    expected = [layer.transform_images(floats(photos()[i : i + 1]), None) for i in range(BATCH)]
    same(tabled("equalize"), np.concatenate(expected), levels=1)


def test_blur() -> None:
    sigma = 0.9
    side = 2 * int(np.ceil(3 * sigma)) + 1
    layer = layers.RandomGaussianBlur(1.0, kernel_size=side, sigma=sigma, value_range=(0, 255))
    drawn = {
        "blur_factor": np.array([sigma, sigma], "float32"),
        "should_apply_blur": np.ones(BATCH, bool),
    }
    expected = np.asarray(layer.transform_images(floats(photos()), drawn))
    found = np.stack([colour.blur(p, sigma) for p in photos()])
    inner = slice(side // 2, -(side // 2))
    # Keras puts black around the image.
    same(found[:, inner, inner], expected[:, inner, inner], levels=1.01)


def change(**wanted: object) -> Change:
    plain = {"matrix": geometry.identity(), "shift": np.zeros(3), "operations": {}}
    return Change(**{**plain, **wanted})


def augmented(one: Change, image: np.ndarray) -> np.ndarray:
    return augment.augmented(Picture(image, SIZE), one, size=SIZE, fill=Fill.REFLECT)


def test_erasing() -> None:
    top, left, bottom, right = box = (4, 6, 15, 30)
    masks = np.zeros((BATCH, *SIZE, 3), bool)
    masks[:, top:bottom, left:right] = True
    drawn = {
        "apply_erasing": np.ones(BATCH, bool),
        "batch_masks": masks,
        "fill_value": floats(photos()).mean(axis=(1, 2), keepdims=True),
    }
    expected = layers.RandomErasing(1.0).transform_images(floats(photos()), drawn)
    same(np.stack([augmented(change(erased=box), p) for p in photos()]), expected)


def test_mix_up() -> None:
    share, partners = np.linspace(0, 1, BATCH), np.roll(np.arange(BATCH), -1)
    drawn = {"mix_weight": share.astype("float32"), "permutation_order": partners}
    expected = layers.MixUp().transform_images(floats(photos()), drawn)
    found = [
        augment.mixed(photos()[i], photos()[partners[i]], Mix(share=share[i], cut=None))
        for i in range(BATCH)
    ]
    same(np.stack(found), expected)


def test_cut_mix() -> None:
    partners = np.roll(np.arange(BATCH), -1)
    corners = [(i, 2 * i, 20 - i, 30 - i) for i in range(BATCH)]
    top, left, bottom, right = (np.array(c, "float32") for c in zip(*corners, strict=True))
    layer = layers.CutMix()
    masks, weight = layer._generate_batch_mask((BATCH, *SIZE, 3), (left, right, top, bottom))
    drawn = {"mix_weight": weight, "permutation_order": partners, "batch_masks": masks}
    expected = layer.transform_images(floats(photos()), drawn)
    found = [
        augment.mixed(photos()[i], photos()[partners[i]], Mix(share=0.5, cut=corners[i]))
        for i in range(BATCH)
    ]
    same(np.stack(found), expected, levels=0)


def test_composed_geometry_is_the_layers_one_after_the_other_but_for_their_blur() -> None:
    """On a ramp, which resampling does not blur, one map equals four layers."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    ramp = np.stack([6 * columns, 9 * rows, 3 * columns + 3 * rows], axis=-1).astype(np.float32)
    images = np.repeat(ramp[None], BATCH, axis=0)
    angle, zoom, dx = np.deg2rad(15) * SPREAD, 1 + 0.2 * SPREAD, 3.0 * SPREAD

    def layer(maps: np.ndarray, images: object) -> object:
        flat = np.concatenate([maps.reshape(BATCH, 6), np.zeros((BATCH, 2))], 1)
        return keras.ops.image.affine_transform(images, flat.astype("float32"), fill_mode="nearest")

    moved = layer(matrices(shift=(dx, 0 * dx)), images)
    chained = np.asarray(layer(matrices(angle=angle), layer(matrices(scale=(zoom, zoom)), moved)))
    # Keras applies the layers to the image; the map of the output runs through them backwards.
    whole = matrices(angle=angle, scale=(zoom, zoom), shift=(dx, 0 * dx))
    found = np.stack(
        [
            geometry.resample(Picture(i.astype(np.uint8), SIZE), m, size=SIZE, fill=Fill.NEAREST)
            for i, m in zip(images, whole, strict=True)
        ]
    )
    inner = np.s_[:, 8:-8, 10:-10]
    same(found[inner], chained[inner])


def test_every_operation_of_rand_augment_changes_an_image() -> None:
    image = (photos()[0] // 2 + 40).astype(np.uint8)
    for operation in list(Operation)[4:]:
        found = augmented(change(operations={operation: 0.6}), image)
        assert np.abs(found.astype(int) - image).max() > 3, operation
    spec = Augmentation(rand_augment=RandAugment(operations=6, magnitude=1))
    seen = set()
    for one in draws.changes(spec, np.arange(30), size=SIZE, seed=0, epoch=0):
        assert len(one.operations) == 6
        moved = {Operation(k) for k in range(4)} & set(one.operations)
        assert bool(moved) is not np.array_equal(one.matrix, geometry.identity())
        seen |= set(one.operations)
    assert seen == set(Operation)
