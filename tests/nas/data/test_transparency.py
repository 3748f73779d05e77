"""Transparent images are read as they are shown over white."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nas.data import DataError, read_images

STROKE = np.zeros((16, 16), bool)
STROKE[2:14, 7:9] = True


def canvas(color: int) -> NDArray[np.uint8]:
    """A stroke of one gray on transparent pixels of the same gray, as a canvas saves it, RGBA."""
    pixels = np.full((16, 16, 4), color, np.uint8)
    pixels[..., 3] = np.where(STROKE, 255, 0)
    return pixels


def palette() -> Image.Image:
    image = Image.fromarray(STROKE.astype(np.uint8), "P")
    image.putpalette([0, 0, 0] * 256)
    return image


def key(mode: str) -> Image.Image:
    """A stroke of gray 10 on black, which is the transparent color."""
    return Image.fromarray(np.where(STROKE, 10, 0).astype(np.uint8)).convert(mode)


IMAGES: Mapping[str, tuple[Image.Image, str, Mapping[str, Any]]] = {
    "RGBA": (Image.fromarray(canvas(0)), "png", {}),
    "RGBA as WebP": (Image.fromarray(canvas(0)), "webp", {"lossless": True, "exact": True}),
    "gray and alpha": (Image.fromarray(canvas(0)[..., 2:].copy(), "LA"), "png", {}),
    "palette with an entry": (palette(), "png", {"transparency": 0}),
    "palette with alphas": (palette(), "png", {"transparency": bytes([0, 255])}),
    "GIF": (palette(), "gif", {"transparency": 0}),
    "gray key": (key("L"), "png", {"transparency": 0}),
    "color key": (key("RGB"), "png", {"transparency": (0, 0, 0)}),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", IMAGES)
def test_strokes_are_seen_over_white(kind: str, channels: int, tmp_path: Path) -> None:
    image, suffix, settings = IMAGES[kind]
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / f"x.{suffix}", **settings)
    found = read_images(tmp_path, (16, 16), channels)[0].inputs[0].numpy()
    assert ((found < 0.1) == STROKE).all()
    assert (found[:, ~STROKE] == 1.0).all()


def test_half_transparent_pixels_are_half_white(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("RGBA", (4, 4), (0, 0, 255, 51)).save(tmp_path / "a" / "x.png")
    found = read_images(tmp_path, (4, 4))[0].inputs[0, :, 0, 0]
    assert found.tolist() == pytest.approx([0.8, 0.8, 1.0])


def test_strokes_that_white_hides_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(canvas(255)).save(tmp_path / "a" / "x.png")
    with pytest.raises(
        DataError, match=r"x\.png must show something over white, but is white where .* lay it over"
    ):
        read_images(tmp_path, (16, 16))


def test_opaque_alpha_changes_nothing(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    Image.fromarray(pixels).save(tmp_path / "a" / "x.png")
    Image.fromarray(pixels).convert("RGBA").save(tmp_path / "b" / "x.png")
    plain, layered = read_images(tmp_path, (8, 8))[0].inputs
    assert (plain == layered).all()
