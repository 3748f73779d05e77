"""Gaussian noise that follows from small integers, so that it can be made again instead of being kept."""

import math

import torch
from torch import Tensor

SEEDS = 2**15
"""How many different noises there are."""
_MASK = 2**32 - 1


def noise(seeds: Tensor, count: int) -> Tensor:
    """Standard normal values [N, count] of seeds [N], each 0 … `SEEDS` - 1, computed where they are."""
    pairs = (count + 1) // 2
    places = torch.arange(2 * pairs, device=seeds.device)
    mixed = _scrambled(seeds.long()[:, None] * 0x9E3779B1 + places * 0x85EBCA77)
    first, second = ((mixed.float() + 0.5) / 2**32).clamp_max(1.0).tensor_split(2, 1)
    # By Box & Muller (1958), two of a pair of uniform values.
    length, angle = (-2.0 * first.log()).sqrt(), 2.0 * math.pi * second
    return torch.cat((length * angle.cos(), length * angle.sin()), 1)[:, :count]


def _scrambled(values: Tensor) -> Tensor:
    """The last step of MurmurHash3 (Appleby, 2011), of the lowest 32 bits of integers."""
    values = values & _MASK
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        values = ((values ^ (values >> shift)) * factor) & _MASK
    return values ^ (values >> 16)
