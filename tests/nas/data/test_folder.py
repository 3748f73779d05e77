import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.data import DataError, read_images

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def paint(path: Path, color: tuple[int, int, int] = WHITE, size: tuple[int, int] = (4, 2)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path


def pets(folder: Path) -> Path:
    paint(folder / "dog" / "b.png", GREEN)
    paint(folder / "dog" / "a.PNG", RED)
    paint(folder / "cat" / "c.bmp", WHITE, size=(9, 9))
    return folder


def test_classes_and_images_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    split, classes = read_images(pets(tmp_path), size=(2, 3))
    assert classes == ("cat", "dog")
    assert split.labels.tolist() == [0, 1, 1]
    assert split.inputs.shape == (3, 3, 2, 3)
    assert (split.inputs.dtype, split.labels.dtype) == (torch.float32, torch.int64)
    assert split.inputs[:, :, 1, 2].tolist() == [[1, 1, 1], [1, 0, 0], [0, 1, 0]]


def test_height_comes_first(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[3, 1, 2] = 255
    Image.fromarray(pixels).save(paint(tmp_path / "a" / "x.png"))
    assert read_images(tmp_path, size=(4, 6))[0].inputs.nonzero().tolist() == [[0, 2, 3, 1]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_of_8_bits_becomes_gray_or_color(
    mode: str, channels: int, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.new("RGB", (5, 5), WHITE).convert("L" if mode == "LA" else "RGB").convert(mode).save(
        tmp_path / "a" / f"x.{suffix}"
    )
    inputs = read_images(tmp_path, (5, 5), channels)[0].inputs
    assert inputs.shape == (1, channels, 5, 5)
    assert inputs.min() > 0.98


@pytest.mark.parametrize("suffix", ["bmp", "gif", "jpeg", "jpg", "pgm", "png", "ppm", "webp"])
def test_every_format_is_read(suffix: str, tmp_path: Path) -> None:
    paint(tmp_path / "a" / f"x.{suffix}", WHITE)
    assert read_images(tmp_path, (2, 2))[0].inputs.mean() > 0.98


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    pets(tmp_path)
    for path in (tmp_path / ".DS_Store", tmp_path / "cat" / ".DS_Store"):
        path.write_bytes(b"\0")
    (tmp_path / ".thumbnails").mkdir()
    assert len(read_images(tmp_path, (2, 2))[0].labels) == 3


def test_links_may_stay_inside(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "kitten").symlink_to(tmp_path / "cat")
    (tmp_path / "cat" / "d.png").symlink_to("../dog/a.PNG")
    split, classes = read_images(tmp_path, (2, 2))
    assert classes == ("cat", "dog", "kitten")
    assert split.labels.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("target", ["../outside", "/", "absent", "kitten"])
@pytest.mark.parametrize("link", ["kitten", "cat/kitten"])
def test_links_that_leave_or_lead_nowhere_are_refused(
    link: str, target: str, tmp_path: Path
) -> None:
    paint(tmp_path / "outside" / "x.png")
    root = pets(tmp_path / "root")
    (root / link).symlink_to(f"../{target}" if "/" in link and target == "../outside" else target)
    with pytest.raises(
        DataError,
        match=f"{re.escape(str(root / link))} must be a link to something inside {root}, but leads to",
    ):
        read_images(root, (2, 2))


@pytest.mark.parametrize("size", [(0, 2), (2, -1)])
def test_sizes_below_1_are_refused(size: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(f"size at least (1, 1), but got 3 and {size}")):
        read_images(pets(tmp_path), size)


def test_other_numbers_of_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"channels must be 1 or 3 .* but got 4"):
        read_images(pets(tmp_path), (2, 2), channels=4)


def test_folders_without_classes_or_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent must be a folder, but it is missing"):
        read_images(tmp_path / "absent", (2, 2))
    with pytest.raises(
        DataError, match=f"{tmp_path} must hold a folder for each class, but holds none"
    ):
        read_images(tmp_path, (2, 2))
    (pets(tmp_path) / "bird").mkdir()
    with pytest.raises(DataError, match="bird must hold at least one image, but holds none"):
        read_images(tmp_path, (2, 2))
    (tmp_path / "bird").rmdir()
    with pytest.raises(
        DataError,
        match=r"at most 4294967296 bytes as float32, but has shape \(3, 3, 90000, 90000\)",
    ):
        read_images(tmp_path, (90000, 90000))


def test_other_files_are_refused_by_path(tmp_path: Path) -> None:
    for name, message in (
        ("labels.csv", "must be a folder, but it is a file"),
        ("dog/notes.txt", "must be an image .*.png"),
    ):
        path = pets(tmp_path) / name
        path.write_text("cat,0")
        with pytest.raises(DataError, match=f"{re.escape(str(path))} {message}"):
            read_images(tmp_path, (2, 2))
        path.unlink()
    (tmp_path / "dog" / "puppies.png").mkdir()
    with pytest.raises(DataError, match=r"puppies.png must be an image, but it is not a file"):
        read_images(tmp_path, (2, 2))


def test_unreadable_images_are_refused_by_path(tmp_path: Path) -> None:
    path = pets(tmp_path) / "dog" / "a.PNG"
    content = path.read_bytes()
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n"
    for damaged in (
        b"",
        content[:20],
        content[:-30],
        content.replace(b"IDAT", b"JDAT"),
        postscript,
    ):
        path.write_bytes(damaged)
        with pytest.raises(
            DataError, match=f"{re.escape(str(path))} must be an image, but it cannot be read: "
        ):
            read_images(tmp_path, (2, 2))


def test_images_of_16_bits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((2, 2), 40000, np.uint16)).save(tmp_path / "a" / "x.png")
    with pytest.raises(
        DataError, match=r"x.png must be an image of 8 bits a channel, but its mode is I;16"
    ):
        read_images(tmp_path, (2, 2))


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_decompression_bombs_are_refused(side: int, tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    path = pets(tmp_path) / "dog" / "bomb.png"
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(9)))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(
        DataError, match=r"bomb.png must be an image, but it cannot be read: .*decompression bomb"
    ):
        read_images(tmp_path, (2, 2))


def test_folders_with_names_may_lack_classes_but_hold_no_others(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("L", (2, 2)).save(tmp_path / name / "x.png")
    split, names = read_images(tmp_path, (2, 2), 1, ("ant", "dog", "bee", "cat"))
    assert (split.labels.tolist(), names) == ([3, 1], ("ant", "dog", "bee", "cat"))
    with pytest.raises(DataError, match=r"names of the classes, ant, dog, but holds cat"):
        read_images(tmp_path, (2, 2), 1, ("ant", "dog"))
