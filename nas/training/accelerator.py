"""What networks are trained on: this processor, or a GPU; and how a GPU gives the same results each time."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

Accelerator = Literal["cpu", "cuda", "mps"]
"""This processor, a GPU of NVIDIA or of AMD, or one of Apple."""

ACCELERATORS: tuple[Accelerator, ...] = get_args(Accelerator)

WORKSPACES = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
"""What matrix products need in the environment to sum in one order (cuBLAS, "results reproducibility")."""


def available(accelerator: Accelerator) -> bool:
    """Whether this machine has it."""
    if accelerator == "cuda":
        return torch.cuda.is_available()
    return accelerator == "cpu" or torch.backends.mps.is_available()


def fastest() -> Accelerator:
    """A GPU if this machine has one, else its processor."""
    return next(each for each in ("cuda", "mps", "cpu") if available(each))


def check_available(accelerator: Accelerator) -> None:
    """Checks that this machine has an accelerator.

    Raises:
        ValueError: if it does not.
    """
    if not available(accelerator):
        has = [each for each in ACCELERATORS if available(each)]
        raise ValueError(
            f"an accelerator must be one of this machine, {has}, but got {accelerator!r}"
        )


def still_works(accelerator: Accelerator) -> bool:
    """Whether this process can go on using an accelerator, as it cannot after some errors; memory that
    it no longer needs is there for other processes then.
    """
    if accelerator == "cuda":
        try:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        except RuntimeError:
            return False
    return True


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Has a GPU give the same results each time: by deterministic kernels alone, on 32-bit floats
    that are not shortened to 19 bits (TF32). Settings are restored afterwards; on a CPU nothing changes.

    An operation without a deterministic kernel raises a RuntimeError that names it.
    """
    if device.type == "cpu":
        yield
        return
    name, value = WORKSPACES
    os.environ.setdefault(name, value)
    before = _settings()
    try:
        _set(_Settings(True, False, False, False, False, False))
        yield
    finally:
        _set(before)


class _Settings(NamedTuple):
    deterministic: bool
    warn_only: bool
    benchmark: bool
    tf32_convolutions: bool
    tf32_products: bool
    fill: bool


def _settings() -> _Settings:
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    return _Settings(
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.benchmark,
        cudnn.allow_tf32,
        products.allow_tf32,
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
    )


def _set(settings: _Settings) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases have a second way to say the same
        torch.use_deterministic_algorithms(settings.deterministic, warn_only=settings.warn_only)
        torch.backends.cudnn.benchmark = settings.benchmark
        torch.backends.cudnn.allow_tf32 = settings.tf32_convolutions
        torch.backends.cuda.matmul.allow_tf32 = settings.tf32_products
        # Which would take a kernel for each tensor.
        torch.utils.deterministic.fill_uninitialized_memory = settings.fill  # type: ignore[attr-defined]


@contextmanager
def placed(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Has a network on `device`, and then where it was; reproducibly, as `reproducible` says.

    Parameters and buffers stay the same objects, so that whatever holds one, such as a mask or a
    penalty, goes on doing so. Gradients are dropped with the device.
    """
    with reproducible(device):
        homes = [(each, each.device) for each in _tensors(model) if each.device != device]
        for tensor, _ in homes:
            tensor.data = tensor.data.to(device)
        try:
            yield
        finally:
            for tensor, home in homes:
                tensor.grad = None
                tensor.data = tensor.data.to(home)


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
