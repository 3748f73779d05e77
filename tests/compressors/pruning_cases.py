"""Networks with their widths after pruning, and the outputs that a pruned network must give."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.seeds import seeded
from tests.compressors.pruning_networks import (
    dense,
    flattened,
    gained,
    inverted,
    joined,
    joined_depthwise,
    normalized,
    padded_shortcut,
    plain,
    residual,
    separable,
    shared,
    shuffle_unit,
    squeezed,
)
from tests.networks import Wired

IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True)
class Case:
    """A network, the ratios at its sites, and its widths after pruning."""

    build: Callable[[], nn.Module]
    ratios: Mapping[str, float]
    widths: Mapping[str, int]


def margined() -> nn.Module:
    """Zeros around images, by a module and by a function."""

    def run(net: Wired, x: Tensor) -> Tensor:
        y = torch.relu(net["b"](net["pad"](net["a"](x))))
        y = net["pool"](net["c"](nn.functional.pad(y, (0, 1, 0, 1))))
        return net["head"](torch.flatten(y, 1))

    return Wired(
        run,
        a=nn.Conv2d(3, 8, 3),
        pad=nn.ZeroPad2d((2, 0, 1, 1)),
        b=nn.Conv2d(8, 6, 3),
        c=nn.Conv2d(6, 5, 3, stride=2),
        pool=nn.AdaptiveAvgPool2d(1),
        head=nn.Linear(5, 4),
    )


CASES = [
    Case(plain, {"a": 0.5, "b": 0.34}, {"a": 4, "b": 4, "head": 4}),
    Case(normalized, {"a": 0.25, "b": 0.5}, {"a.0": 6, "b.0": 3, "head": 4}),
    Case(
        separable,
        {"stem": 0.5, "block": 0.34},
        {"stem.0": 4, "block.0": 4, "block.3": 4, "head": 4},
    ),
    Case(separable, {"block": 0.5}, {"stem.0": 8, "block.0": 8, "block.3": 3, "head": 4}),
    Case(
        inverted,
        {"": 0.5},
        {
            "stem": 4,
            "one.widen.0": 6,
            "one.depthwise.0": 6,
            "one.narrow.0": 4,
            "two.widen.0": 5,
            "two.narrow.0": 4,
            "head": 4,
        },
    ),
    Case(
        inverted,
        {"one.widen": 0.25},
        {"stem": 8, "one.widen.0": 9, "one.depthwise.0": 9, "one.narrow.0": 8, "two.widen.0": 10},
    ),
    Case(
        residual,
        {"stem": 0.25, "stage": 0.25},
        {
            "stem": 6,
            "stage.0.first.0": 5,
            "stage.0.second.0": 6,
            "stage.1.first.0": 3,
            "stage.1.second.0": 6,
            "head": 4,
        },
    ),
    Case(flattened, {"a": 0.5, "b": 0.3}, {"a": 4, "b": 7, "head": 4}),
    Case(squeezed, {"": 0.5}, {"a": 4, "squeeze.down": 2, "squeeze.up": 4, "b": 3, "head": 4}),
    Case(joined, {"a": 0.5, "b": 0.34, "c": 0.5}, {"a": 2, "b": 4, "c": 3, "head": 4}),
    Case(joined_depthwise, {"a": 0.5, "b": 0.5}, {"a": 2, "b": 3, "depth": 5, "point": 6}),
    Case(joined_depthwise, {"b": 0.84}, {"a": 4, "b": 1, "depth": 5, "point": 6}),
    Case(dense, {"": 0.5}, {"a": 4, "b": 3, "head": 4}),
    Case(shared, {"": 0.5}, {"a": 4, "mix": 4, "head": 4}),
    Case(gained, {"a": 0.5}, {"a": 4, "head": 4}),
    Case(margined, {"a": 0.5, "b": 0.34}, {"a": 4, "b": 4, "c": 5, "head": 4}),
    Case(padded_shortcut, {"first": 0.5}, {"stem": 4, "first": 3, "second": 8, "head": 4}),
    Case(
        shuffle_unit,
        {"last": 0.5, "branch.0": 0.4},
        {"stem": 8, "branch.0": 3, "branch.2": 3, "branch.3": 4, "last": 3},
    ),
]


NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def seeded_network(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A network in evaluation mode as if it were trained: batch normalization with gains, shifts
    and statistics.
    """
    with seeded(seed):
        model = build().eval()
        for module in model.modules():
            if isinstance(module, NORMS):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2.0)
    return model


def widths(model: nn.Module) -> dict[str, int]:
    return {
        name: module.weight.shape[0]
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    }


def masked(model: nn.Module, pruned: nn.Module) -> Tensor:
    """The outputs of the original network with the removed channels of each layer at zero; biases
    identify these channels.
    """

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output.index_fill(1, lost[module], 0.0)

    lost: dict[nn.Module, Tensor] = {}
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, *NORMS)) and module.bias is not None:
            before, after = module.bias.tolist(), pruned.get_parameter(f"{name}.bias").tolist()
            assert len(set(before)) == len(before)
            assert [value for value in before if value in after] == after  # in their order
            lost[module] = torch.tensor(
                [i for i, value in enumerate(before) if value not in after], dtype=torch.int64
            )
            hooks.append(module.register_forward_hook(hook))
    said: Tensor = model(IMAGES)
    for handle in hooks:
        handle.remove()
    assert sum(map(len, lost.values())) > 0
    return said


def right_or_refused(
    build: Callable[[], nn.Module], pruned: Callable[[nn.Module], nn.Module]
) -> list[bool]:
    """Whether each of 12 networks was pruned; asserts that it then gives the outputs of the masked
    one.
    """
    done = []
    for seed in range(12):
        model = seeded_network(build, seed)
        try:
            smaller = pruned(copy.deepcopy(model))
        except ValueError:
            done.append(False)
        else:
            assert torch.allclose(smaller(IMAGES), masked(model, smaller), rtol=1e-4, atol=1e-5)
            done.append(True)
    return done
