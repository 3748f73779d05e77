"""Hints: features inside of a student are trained to be like features inside of its teacher."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, mse_loss, normalize

from nas.layers import forward_hooks
from nas.quantize import ActivationQuantizer, FusedReLU


@dataclass(frozen=True)
class Hint:
    """A term of the loss that leads features of the student to features of the teacher.

    `student` and `teacher` are the dotted names of modules without children, whose outputs are the
    features: [N, C, H, W], or [N, F] in both. `weight` is the factor of the term. Without
    `attention` it is the mean squared error of the teacher's features and a learned projection, a
    1x1 convolution or linear layer, of the student's (FitNets, Romero et al., 2015). With
    `attention` it is the squared distance of two attention maps, the mean squares over channels,
    scaled to length 1 (Zagoruyko & Komodakis, 2017). Larger maps are averaged down to the size of
    smaller ones.

    Raises:
        ValueError: if the weight is not positive and finite.
    """

    student: str
    teacher: str
    weight: float = 1.0
    attention: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.weight < float("inf"):
            raise ValueError(f"the weight of a hint must be positive and finite, but got {self}")


@contextmanager
def captured(model: nn.Module, names: Sequence[str], whose: str) -> Iterator[list[Tensor]]:
    """A list of the latest output of each named module, which every forward pass renews in place.

    For a ReLU that a quantizer carries out, it is the output of that quantizer. `whose` names the
    model in errors.

    Raises:
        ValueError: if a name is that of no module.
    """
    modules = dict(model.named_modules())
    if unknown := [name for name in names if name not in modules]:
        raise ValueError(
            f"a hint must name modules of the {whose}, {[name for name in modules if name]}, but names {unknown}"
        )
    seen = [torch.empty(0)] * len(names)

    def record(position: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:  # noqa: ARG001 - torch's signature
            seen[position] = output

        return hook

    fused = [
        position for position, name in enumerate(names) if isinstance(modules[name], FusedReLU)
    ]

    def rectified(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:  # noqa: ARG001
        # Recognized by the input, because a quantizer can serve several ReLUs.
        for position in fused:
            if seen[position] is inputs[0]:
                seen[position] = output

    hooks = [(modules[name], record(position)) for position, name in enumerate(names)]
    if fused:
        quantizers = [
            module for module in modules.values() if isinstance(module, ActivationQuantizer)
        ]
        hooks += [(quantizer, rectified) for quantizer in quantizers]
    with forward_hooks(hooks):
        yield seen


class _Pointwise(nn.Linear):
    """A linear layer of [N, F], or a 1x1 convolution of [N, C, H, W] as a matrix product, which is
    four times as fast on small maps.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


def projection(hint: Hint, features: Tensor, target: Tensor) -> nn.Module:
    """What the student's features pass before they are compared: a learned projection, or nothing
    for attention.

    Raises:
        ValueError: if the features do not have the dimensions of the target, or ones that the hint
            can compare.
    """
    if features.ndim != target.ndim or features.ndim not in ((4,) if hint.attention else (2, 4)):
        raise ValueError(
            f"a hint must lead [N, C, H, W] to [N, C, H, W], or [N, F] to [N, F] without attention, but {hint.student!r} gives "
            f"{list(features.shape[1:])} and {hint.teacher!r} {list(target.shape[1:])}"
        )
    if hint.attention:
        return nn.Identity()
    return _Pointwise(features.shape[1], target.shape[1]).to(features.device)


def hint_target(hint: Hint, features: Tensor) -> Tensor:
    """What the student is led to, from the teacher's features: a tensor of its own, either the
    attention map or a copy.
    """
    return _attention(features) if hint.attention else features.clone()


def hint_loss(hint: Hint, features: Tensor, target: Tensor) -> Tensor:
    """The distance of the student's projected features from the target, a scalar, without the
    hint's weight.
    """
    if hint.attention:
        features = _attention(features)
    if features.ndim == 4 and features.shape != target.shape:
        size = min(features.shape[2], target.shape[2]), min(features.shape[3], target.shape[3])
        features, target = adaptive_avg_pool2d(features, size), adaptive_avg_pool2d(target, size)
    if hint.attention:
        difference = normalize(features.flatten(1)) - normalize(target.flatten(1))
        return difference.square().sum(1).mean()
    return mse_loss(features, target)


def _attention(features: Tensor) -> Tensor:
    """The mean square over channels, [N, 1, H, W]."""
    return features.square().mean(1, keepdim=True)
