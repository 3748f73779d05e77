"""Folders of images, with a subfolder for each class."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from nas.data.files import DataError, check_size, reading, scaled
from nas.data.task import Split

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".webp")
# Listed, because Pillow goes by content, and would start Ghostscript for an EPS file called .png.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "WEBP")
_MODES = {1: "L", 3: "RGB"}
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


def read_images(
    folder: Path,
    size: tuple[int, int],
    channels: int = 3,
    names: Sequence[str] | None = None,
) -> tuple[Split, tuple[str, ...]]:
    """The images below `folder`, [N, C, H, W] in [0, 1], and the names of the classes in the order
    of their labels.

    Each subfolder is a class; classes are sorted by name. With `names` they are those classes, in
    that order, and the folder may lack some. Images are turned as their EXIF tag says, laid over
    white where they are transparent, converted to 1 (gray) or 3 (color) channels and resized to
    `size`, (height, width). Hidden files are skipped.

    Raises:
        ValueError: if `size` or `channels` is out of range.
        DataError: if there are no classes, a class is empty or not in `names`, a file is not a
            readable image of 8 bits a channel, an image shows nothing over white, or a link leads
            out of the folder.
    """
    if channels not in _MODES or min(size) < 1:
        raise ValueError(
            f"channels must be 1 or 3 and size at least (1, 1), but got {channels} and {size}"
        )
    classes = entries(folder, folder)
    if not classes:
        raise DataError(f"{folder} must hold a folder for each class, but holds none")
    names = tuple(path.name for path in classes) if names is None else tuple(names)
    images: list[Path] = []
    labels: list[int] = []
    for name in classes:
        if name.name not in names:
            raise DataError(
                f"{folder} must hold folders with the names of the classes, {', '.join(names)}, but holds {name.name}"
            )
        members = entries(folder, name)
        if not members:
            raise DataError(f"{name} must hold at least one image, but holds none")
        images += members
        labels += [names.index(name.name)] * len(members)
    shape = (len(images), channels, *size)
    check_size(folder, shape)
    pixels = np.empty(shape, np.uint8)
    for row, path in zip(pixels, images, strict=True):
        row[:] = _pixels(path, size, _MODES[channels])
    return Split(scaled(pixels), torch.tensor(labels)), names


def image_shape(folder: Path) -> tuple[int, int, int]:
    """The channels of the images below a folder of `read_images`, 3 if any has color and else 1, and
    the height and width of the first.

    Raises:
        DataError: if there is no image, or one is not readable.
    """
    images = [path for name in entries(folder, folder) for path in entries(folder, name)]
    if not images:
        raise DataError(f"{folder} must hold a folder of images for each class, but holds none")
    with reading(images[0], "an image"), Image.open(images[0], formats=_FORMATS) as image:
        turned = ImageOps.exif_transpose(image)
        height, width = turned.height, turned.width
    return (3 if any(map(_has_color, images)) else 1), height, width


def _has_color(path: Path) -> bool:
    # Only the header is read.
    with reading(path, "an image"), Image.open(path, formats=_FORMATS) as image:
        return image.mode not in ("1", "L")


def entries(root: Path, folder: Path) -> list[Path]:
    """The files and folders in `folder`, sorted by name, without hidden ones.

    Raises:
        DataError: if it is no folder, or there are links out of `root`.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder} must be a folder, but it is {'a file' if folder.exists() else 'missing'}"
        )
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in entries:
        if path.is_symlink() and not (
            path.exists() and path.resolve().is_relative_to(root.resolve())
        ):
            raise DataError(
                f"{path} must be a link to something inside {root}, but leads to {path.readlink()}"
            )
    return entries


def _pixels(path: Path, size: tuple[int, int], mode: str) -> NDArray[np.uint8]:
    if path.suffix.lower() not in _SUFFIXES:
        raise DataError(
            f"{path} must be an image with one of the suffixes {', '.join(_SUFFIXES)}, but has {path.suffix or 'none'}"
        )
    with reading(path, "an image"), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=_FORMATS) as image:
            # Pillow clips these modes to 8 bits instead of scaling them: images would be white.
            if image.mode.startswith(("I", "F")):
                raise DataError(
                    f"{path} must be an image of 8 bits a channel, but its mode is {image.mode}"
                )
            opaque = _over_white(path, ImageOps.exif_transpose(image))
            resized = opaque.convert(mode).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.atleast_3d(np.asarray(resized, np.uint8)).transpose(2, 0, 1)


def _over_white(path: Path, image: Image.Image) -> Image.Image:
    """The image without transparency, as viewers show it: over white."""
    if image.mode not in _ALPHA and "transparency" not in image.info:
        return image
    layer = image.convert("RGBA")
    shown = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    alpha, pixels = np.asarray(layer)[..., 3], np.asarray(shown)
    # White strokes on nothing: what the image shows is in its alpha channel alone.
    if (alpha != alpha[0, 0]).any() and (pixels == pixels[0, 0]).all():
        raise DataError(
            f"{path} must show something over white, but is white where it is not transparent: lay it over another color"
        )
    return shown
