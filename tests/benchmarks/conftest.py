import struct
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """MNIST's four files, with images of ten classes that are each bright in rows of their own."""
    folder, rng = tmp_path / "made_up", np.random.default_rng(0)
    folder.mkdir()
    for part, count in (("train", 400), ("t10k", 100)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        pixels = rng.integers(0, 80, (count, 28, 28), np.uint8)
        for row in (0, 1):
            pixels[np.arange(count), 2 * labels + row] += 150
        header = struct.pack(">4I", 0x803, count, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        header = struct.pack(">2I", 0x801, count)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    return folder
