from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn

from nas.quantize.rearrangements import (
    Entries,
    Reshaped,
    Step,
    Strided,
    is_read,
    is_rearrangement,
    is_size,
    rearrangement,
)
from nas.tracing import UnsupportedError
from tests.networks import Wired

SHAPE = (6, 2, 3)


def traced(call: Callable[[Tensor], Tensor]) -> fx.GraphModule:
    return fx.symbolic_trace(Wired(lambda net, x: call(x)))


def last(model: fx.GraphModule) -> fx.Node:
    (output,) = (node for node in model.graph.nodes if node.op == "output")
    found: fx.Node = output.all_input_nodes[0]
    return found


def shape_of(node: fx.Node) -> tuple[int, ...] | None:
    return SHAPE if node.op == "placeholder" else None


CALLS: dict[str, tuple[Callable[[Tensor], Tensor], tuple[type, ...]]] = {
    "nothing": (lambda x: x.view(x.size(0), 3, -1).reshape(x.shape), ()),
    "flat": (lambda x: x.view(x.size(0), -1), (Reshaped,)),
    "by numbers": (lambda x: x.reshape(-1, x.shape[1] * 2 * x.size(3)), (Reshaped,)),
    "signal": (lambda x: x.flatten(2), (Reshaped,)),
    "other image": (lambda x: torch.unflatten(x, 1, (2, 3)).flatten(2, 3), (Reshaped,)),
    "channels": (lambda x: x[:, 1::2], (Entries,)),
    "one channel": (lambda x: x[:, 2], (Entries, Reshaped)),
    "part": (lambda x: x.tensor_split((1, 4), 1)[1], (Entries,)),
    "backwards": (lambda x: torch.flip(x, (1,)), (Entries,)),
    "channels, flat": (lambda x: x.chunk(3, 1)[2].flatten(1), (Entries, Reshaped)),
    "pixel": (lambda x: x[:, :, 1, 2], (Strided, Reshaped)),
    "pixels": (lambda x: x[:, :, :, ::2], (Strided,)),
    "row of channels": (lambda x: x[:, 1:3, 1], (Strided, Entries, Reshaped)),
    "pixels out of order": (lambda x: x[:, :, [1, 0]], (Reshaped, Entries, Reshaped)),
    "pixels out of step": (
        lambda x: x.flatten(2)[:, :, [0, 1, 3]],
        (Reshaped, Entries, Reshaped),
    ),
    "pixels again": (lambda x: x[:, [2, 2], 1], (Reshaped, Entries, Reshaped)),
    "turned": (lambda x: x.transpose(2, 3), (Reshaped, Entries, Reshaped)),
    "channels last": (lambda x: x.permute(0, 2, 3, 1).flatten(1), (Reshaped, Entries)),
}


def done(step: Step, x: Tensor) -> Tensor:
    if isinstance(step, Entries):
        return x[:, torch.from_numpy(step.indices)]
    if isinstance(step, Reshaped):
        return x.reshape(len(x), *step.shape)
    axes = zip(step.starts, step.counts, step.steps, strict=True)
    return x[
        (
            slice(None),
            slice(None),
            *[slice(first, first + count * by, by) for first, count, by in axes],
        )
    ]


@pytest.mark.parametrize("name", CALLS)
def test_the_steps_do_what_the_network_does(name: str) -> None:
    call, kinds = CALLS[name]
    model = traced(call)
    found = rearrangement(last(model), model, shape_of)
    assert found.source.op == "placeholder"
    assert tuple(type(step) for step in found.steps) == kinds
    images = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    rearranged = images
    for step in found.steps:
        rearranged = done(step, rearranged)
    assert torch.equal(rearranged, call(images))
    assert found.shape == rearranged.shape[1:]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.reshape(-1), r"'reshape' must keep samples apart, .* gives \[72\] for two"),
        (lambda x: x.transpose(0, 1), "'transpose' must keep samples apart"),
        (lambda x: x[:1], "'getitem' must keep samples apart"),
        (lambda x: x.flip(0), "'flip' must keep samples apart"),
        (lambda x: x.chunk(2, 1), "'chunk' must give one tensor where it is read, but gives tuple"),
        (lambda x: x[:, :0], r"'getitem' must give samples \[F\], .* but gives \[0, 2, 3\]"),
        (lambda x: x.unsqueeze(1), r"'unsqueeze' must give samples .* gives \[1, 6, 2, 3\]"),
        (lambda x: x.view(x.size(0), 7, -1), "'view' must rearrange any number of samples, but: "),
        (lambda x: x.chunk(2, 1)[5], "'getitem' must rearrange any number of samples, but: "),
        (lambda x: x.relu().view(-1, 36), "'view' must rearrange a tensor, but reads 'relu'"),
    ],
)
def test_what_is_no_tensor_of_each_sample_is_refused(
    call: Callable[[Tensor], Tensor], message: str
) -> None:
    model = traced(call)
    with pytest.raises(UnsupportedError, match=message):
        rearrangement(last(model), model, shape_of)


def test_sizes_are_told_from_tensors() -> None:
    model = traced(lambda x: (x * 2).view(x.shape[0], x.size(1) * x.size(2) * 3 // 1))
    sizes = {node.name: is_size(node) for node in model.graph.nodes}
    assert [name for name, size in sizes.items() if not size] == ["x", "mul", "view", "output"]
    moves = [node.name for node in model.graph.nodes if is_rearrangement(node, model)]
    assert moves == ["getitem", "view"]  # the one is that of a number, for is_size to tell
    reads = {node.name: is_read(node, model) for node in model.graph.nodes}
    assert reads["x"]
    assert not reads["mul"]
    assert reads["view"]


def test_modules_rearrange_too() -> None:
    model = fx.symbolic_trace(nn.Sequential(nn.ChannelShuffle(2), nn.Flatten()))
    found = rearrangement(last(model), model, shape_of)
    entries, reshaped = found.steps
    assert isinstance(entries, Entries)
    assert entries.indices.tolist() == [0, 3, 1, 4, 2, 5]
    assert isinstance(reshaped, Reshaped)
    assert reshaped.shape == (36,)
