import io

import numpy as np
import pytest
from PIL import Image

from kubefit.api.recipe import Fill
from kubefit_trainer.images import augment, geometry
from kubefit_trainer.images.decode import UnreadableImageError, decode

LARGE = (10_000, 10_000)


def photo(width: int, height: int) -> Image.Image:
    """Smooth shapes and fine grain, as a camera gives them."""
    random = np.random.default_rng(width)
    coarse = random.integers(0, 256, (height // 20 + 2, width // 20 + 2, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    grain = random.normal(0, 5, (height, width, 3))
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pillow(data: bytes, mode: str = "RGB") -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode)).astype(int)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_every_format_gives_the_pixels_of_pillow(kind: str) -> None:
    data = encoded(photo(61, 40), kind)
    found = decode(data, channels=3, needed=LARGE)
    assert found.extent == found.pixels.shape[:2] == (40, 61)
    assert np.abs(found.pixels - pillow(data)).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1"])
def test_every_mode_becomes_rgb_or_gray(mode: str) -> None:
    image = photo(40, 30).convert(mode)
    data = encoded(image, "PNG")
    colour = image.convert("RGBA").convert("RGB") if mode == "LA" else image.convert("RGB")
    found = decode(data, channels=3, needed=LARGE).pixels
    assert np.abs(found - np.asarray(colour).astype(int)).max() <= 1
    gray = decode(data, channels=1, needed=LARGE).pixels
    assert gray.shape == (30, 40, 1)
    assert np.abs(gray[..., 0] - np.asarray(colour.convert("L")).astype(int)).max() <= 1


def test_cmyk_becomes_rgb() -> None:
    data = encoded(photo(40, 30).convert("CMYK"))
    assert np.abs(decode(data, channels=3, needed=LARGE).pixels - pillow(data)).max() <= 1


def test_sixteen_bits_become_eight() -> None:
    wide = np.random.default_rng(0).integers(0, 65536, (20, 30)).astype(np.uint16)
    data = encoded(Image.fromarray(wide), "PNG")
    found = decode(data, channels=1, needed=LARGE).pixels[..., 0]
    np.testing.assert_array_equal(found, wide >> 8)


def test_images_stand_upright_as_their_orientation_says() -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    image = photo(640, 400)
    found = decode(encoded(image, exif=exif), channels=3, needed=(100, 100))
    assert found.extent == (160, 100)
    turned = np.asarray(image.transpose(Image.Transpose.ROTATE_270).resize((100, 160)))
    assert np.abs(found.pixels - turned.astype(int)).mean() < 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("side", [50, 100, 150])
def test_reduced_decoding_changes_less_than_three_levels(kind: str, side: int) -> None:
    """Beside averaging and resampling all the pixels of the whole image."""
    data = encoded(photo(641, 477), kind, **({"quality": 90} if kind == "JPEG" else {}))
    size = (side, side)
    found = augment.resized(decode(data, channels=3, needed=size), size=size)
    whole = decode(data, channels=3, needed=LARGE)
    expected = geometry.resample(whole, geometry.identity(), size=size, fill=Fill.NEAREST)
    assert np.abs(found.astype(int) - expected).mean() < 3


@pytest.mark.parametrize(("width", "height"), [(640, 480), (641, 477), (300, 90), (75, 61)])
def test_resizing_agrees_with_an_antialiased_resize(width: int, height: int) -> None:
    data = encoded(photo(width, height), "PNG")
    found = augment.resized(decode(data, channels=3, needed=(64, 80)), size=(64, 80))
    expected = np.asarray(
        Image.open(io.BytesIO(data)).resize((80, 64), Image.Resampling.BILINEAR)
    ).astype(int)
    assert np.abs(found - expected).mean() < 3


def test_no_side_falls_below_what_is_needed() -> None:
    found = decode(encoded(photo(900, 300)), channels=3, needed=(100, 100))
    assert found.pixels.shape == (150, 225, 3)
    assert found.extent == (150, 225)


def test_half_a_pixel_of_an_odd_side_is_not_forgotten() -> None:
    found = decode(encoded(photo(901, 301), "PNG"), channels=3, needed=(100, 100))
    assert found.pixels.shape == (150, 225, 3)
    assert found.extent == (150.5, 225.25)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_an_image_that_breaks_off_is_unreadable(kind: str, share: float) -> None:
    data = encoded(photo(200, 150), kind)
    with pytest.raises(UnreadableImageError):
        decode(data[: int(len(data) * share)], channels=3, needed=LARGE)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    data = encoded(Image.new("1", (20_000, 20_000)), "PNG")
    with pytest.raises(UnreadableImageError, match="more than 178 million pixels"):
        decode(data, channels=3, needed=(8, 8))
