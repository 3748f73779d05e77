"""A trained network compressed to a number of bytes from unlabelled images, without training."""

import torch
from torch import Tensor, nn

from compressors.allocation import allocate
from compressors.quantization import Quantization
from compressors.reconstruction import reconstruct
from compressors.size_budget import CALIBRATION_SAMPLES, CompressedNetwork
from nas.lowering import lower, snapped
from nas.packed import pack

ATTEMPTS = 3


def reconstruct_to(
    model: nn.Module,
    *,
    size_bytes: int,
    images: Tensor,
    generator: torch.Generator,
    steps: int = 200,
    method: Quantization | None = None,
) -> CompressedNetwork:
    """Compresses a trained network to a packed file of at most `size_bytes` without labels and
    without training it on: bits are allocated to its layers (`allocate`), and their rounding is
    reconstructed (`reconstruct`).

    The budget is one of the file: if it is too long when it is reconstructed, bits are allocated
    again, with as many bytes less.

    Args:
        model: The network. It is not changed.
        size_bytes: The longest that the file may be.
        images: Inputs like those of the task, [N, …]; some thousand.
        generator: The order of the images.
        steps: Steps of 64 images for the whole network, and half as many for each part; 0 matches
            the statistics of channels alone.
        method: How weights and activations are quantized; by default as `Quantization` does.

    >>> images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> order = torch.Generator().manual_seed(0)
    >>> len(reconstruct_to(model, size_bytes=900, images=images, generator=order, steps=5).packed) <= 900
    True

    Raises:
        ValueError: as `allocate` and `reconstruct` do, or if the file stays too long.
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    calibration, budget = images[:CALIBRATION_SAMPLES], size_bytes
    for _ in range(ATTEMPTS):
        found = allocate(model, calibration, size_bytes=budget, method=method)
        made = reconstruct(found.model, model, images, generator=generator, steps=steps)
        packed = pack(lower(snapped(made), calibration))
        if len(packed) <= size_bytes:
            return CompressedNetwork(packed, found.bits, made, found)
        budget -= len(packed) - size_bytes
    raise ValueError(
        f"a file must have at most {size_bytes:,} bytes, but has {len(packed):,} after {ATTEMPTS} allocations"
    )
