"""Photographs are read as viewers show them: turned as their EXIF tag says."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from nas.data import read_images
from nas.data.folder import image_shape

ORIENTATION = 274


def save_turned(path: Path, orientation: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.linspace(0, 255, 8 * 16).reshape(8, 16).astype(np.uint8)
    tag = Image.Exif()
    tag[ORIENTATION] = orientation
    Image.fromarray(pixels).save(path, exif=tag, quality=95)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_before_they_are_resized(
    orientation: int, suffix: str, tmp_path: Path
) -> None:
    path = save_turned(tmp_path / "a" / f"x.{suffix}", orientation)
    channels, height, width = image_shape(tmp_path)
    assert (channels, height, width) == ((1, 16, 8) if orientation > 4 else (1, 8, 16))
    found = read_images(tmp_path, (height, width), 1)[0].inputs[0, 0].numpy()
    with Image.open(path) as image:
        shown = np.asarray(ImageOps.exif_transpose(image)) / 255
    assert np.abs(found - shown).max() < 0.01
    # The first pixel is black and the last one white only where nothing is turned.
    assert (found[0, 0] < 0.1 and found[-1, -1] > 0.9) == (orientation in (1, 5))


def test_a_turned_and_a_plain_copy_are_the_same_image(tmp_path: Path) -> None:
    path = save_turned(tmp_path / "a" / "x.png", 6)
    (tmp_path / "b").mkdir()
    with Image.open(path) as image:
        ImageOps.exif_transpose(image).save(tmp_path / "b" / "x.png")
    turned, plain = read_images(tmp_path, (5, 7), 1)[0].inputs
    assert (turned == plain).all()
