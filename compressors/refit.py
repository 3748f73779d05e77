"""Removal of input channels from layers whose other weights are refitted by least squares.

Optimal brain surgeon (Hassibi and Stork, 1993), with the squared error of a layer's outputs for the
loss and whole channels for the weights, as in ZipLM (Kurtic et al., 2023); ThiNet (Luo et al., 2017)
chooses channels by the same error.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from compressors.groups import Group
from nas.layers import Convolution, WeightLayer, forward_hooks

ROWS_PER_COLUMN = 16
RIDGE = 1e-4
CHUNK = 64
# Prime, so that images of any size are read at all places.
STRIDE = 7


@dataclass(frozen=True, eq=False)
class Moments:
    """What least squares needs of a layer.

    A row has the inputs of one output position, in the order of the weights of an output channel,
    and a one behind them if the layer has a bias.

    Args:
        inputs: the products of the columns with each other, [columns, columns]
        outputs: the products of the columns with the wanted outputs, [columns, out]
        energy: the sum of squares of the wanted outputs
    """

    inputs: Tensor
    outputs: Tensor
    energy: float


def moments(
    model: nn.Module, original: nn.Module, names: Sequence[str], images: Tensor
) -> dict[str, Moments]:
    """The moments of the named layers, without groups, of `model` on `images`, [N, …]; the wanted
    outputs are those that the layers have in `original`.
    """
    total, done = dict[str, Moments](), 0
    for batch in torch.split(images, CHUNK):
        inputs = _calls(model, names, batch, outputs=False)
        outputs = _calls(original, names, batch, outputs=True)
        for name in names:
            layer = model.get_submodule(name)
            assert isinstance(layer, WeightLayer)
            # One pair for each time that the network calls the layer.
            for read, wanted in zip(inputs[name], outputs[name], strict=True):
                rows, targets = _rows(layer, read, wanted, len(images), done)
                found = Moments(
                    (rows.T @ rows).double(), (rows.T @ targets).double(), float((targets**2).sum())
                )
                total[name] = found if name not in total else _sum(total[name], found)
        done += len(batch)
    return total


def _calls(
    model: nn.Module, names: Sequence[str], batch: Tensor, outputs: bool
) -> dict[str, list[Tensor]]:
    """The inputs or outputs of each call of layers."""
    seen: dict[str, list[Tensor]] = {name: [] for name in names}

    def see(name: str, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001 - torch's signature
        # A copy, because an activation in place may follow.
        seen[name].append((output if outputs else inputs[0]).clone())

    hooks = [(model.get_submodule(name), partial(see, name)) for name in names]
    with forward_hooks(hooks), torch.no_grad():
        model.eval()(batch.clone())
    return seen


def _rows(
    layer: WeightLayer, inputs: Tensor, wanted: Tensor, images: int, first: int
) -> tuple[Tensor, Tensor]:
    """Rows [rows, columns] and their wanted outputs [rows, out], from as many positions of each
    image as give enough rows in all; the first image of the batch has the number `first`.
    """
    if isinstance(layer, nn.Linear):
        rows, targets = inputs.flatten(0, -2), wanted.flatten(0, -2)
    else:
        unfolded = _unfolded(layer, inputs)
        count, width, positions = unfolded.shape
        several = min(positions, -(-ROWS_PER_COLUMN * width // images))
        # Evenly spaced, and others in each image.
        places = torch.arange(several) * positions // several
        places = (places + torch.arange(first, first + count)[:, None] * STRIDE) % positions
        rows, targets = (
            values.transpose(1, 2)
            .gather(1, places[..., None].expand(-1, -1, values.shape[1]))
            .flatten(0, 1)
            for values in (unfolded, wanted.flatten(2))
        )
    if layer.bias is not None:
        rows = torch.cat([rows, torch.ones(len(rows), 1)], 1)
    return rows, targets


def _unfolded(layer: Convolution, inputs: Tensor) -> Tensor:
    """The inputs of each output position, [N, columns, positions]."""
    around = layer._reversed_padding_repeated_twice
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = nn.functional.pad(inputs, around, mode)
    windows = [layer.kernel_size, layer.dilation, layer.stride]
    if isinstance(layer, nn.Conv1d):  # a signal is an image of one row
        padded, windows = padded[:, :, None], [(1, *given) for given in windows]
    kernel, dilation, stride = windows
    unfolded: Tensor = nn.functional.unfold(padded, kernel, dilation, 0, stride)
    return unfolded


def _sum(first: Moments, second: Moments) -> Moments:
    return Moments(
        first.inputs + second.inputs, first.outputs + second.outputs, first.energy + second.energy
    )


@dataclass(frozen=True, eq=False)
class _Reader:
    """A layer that reads a group: its moments, and the channel of the group that each of its columns
    holds, [columns], -1 where it holds another or the bias.
    """

    moments: Moments
    channels: Tensor


def removals_of(
    group: Group, model: nn.Module, original: nn.Module, images: Tensor
) -> Iterator[tuple[int, Mapping[str, Tensor]]]:
    """Removes channel after channel of a group, the one that adds the least error first, and yields
    its number and the weights [out, columns] of each reader without it, by name.

    The error is that of the outputs of the readers, in `model`, from those in `original`, both on
    `images`, [N, …], relative to their energy. The first pair, with the number -1, has the weights
    before any removal; the last channel is kept. Columns of zeros stay zeros.
    """
    measured = moments(model, original, list(group.readers), images)
    readers = dict[str, _Reader]()
    for name, channels in group.readers.items():
        layer = model.get_submodule(name)
        assert isinstance(layer, WeightLayer)
        columns = channels.repeat_interleave(layer.weight[0, 0].numel())
        zeros = (layer.weight == 0).flatten(1).all(0)
        if layer.bias is not None:
            columns = torch.cat([columns, torch.tensor([-1])])
            zeros = torch.cat([zeros, torch.tensor([False])])
        readers[name] = _Reader(_without(measured[name], zeros), columns)
    return _removals(readers, group.width)


def _without(found: Moments, columns: Tensor) -> Moments:
    """The moments with columns of zeros."""
    inputs, outputs = found.inputs.clone(), found.outputs.clone()
    inputs[columns], inputs[:, columns], outputs[columns] = 0.0, 0.0, 0.0
    return Moments(inputs, outputs, found.energy)


def _removals(
    readers: Mapping[str, _Reader], width: int
) -> Iterator[tuple[int, Mapping[str, Tensor]]]:
    weights, inverses = dict[str, Tensor](), dict[str, Tensor]()
    for name, reader in readers.items():
        gram = reader.moments.inputs
        ridge = RIDGE * gram.diagonal().mean().clamp_min(1e-12)
        inverses[name] = torch.linalg.inv(gram + ridge * torch.eye(len(gram), dtype=gram.dtype))
        weights[name] = (inverses[name] @ reader.moments.outputs).T
    left = torch.arange(width)
    yield -1, dict(weights)
    while len(left) > 1:
        errors = [_errors(readers[name], weights[name], inverses[name], left) for name in readers]
        least = int(torch.stack(errors).sum(0).argmin())
        channel = int(left[least])
        left = left[left != channel]
        for name, reader in readers.items():
            gone, inverse = reader.channels == channel, inverses[name]
            block = torch.linalg.solve(inverse[gone][:, gone], inverse[gone])
            weights[name] = weights[name] - weights[name][:, gone] @ block
            weights[name][:, gone] = 0.0
            inverses[name] = inverse - inverse[:, gone] @ block
        yield channel, dict(weights)


def _errors(reader: _Reader, weights: Tensor, inverse: Tensor, left: Tensor) -> Tensor:
    """The error that removing each of the channels `left` adds, relative to the energy."""
    columns = torch.stack([(reader.channels == channel).nonzero().flatten() for channel in left])
    removed = weights[:, columns].permute(1, 2, 0)
    blocks = inverse[columns[:, :, None], columns[:, None, :]]
    added: Tensor = (removed * torch.linalg.solve(blocks, removed)).sum((1, 2))
    return added / max(reader.moments.energy, 1e-30)


def set_weights(layer: WeightLayer, weights: Tensor) -> None:
    """Gives a layer the weights [out, columns] of its columns, in place."""
    with torch.no_grad():
        if layer.bias is not None:
            layer.bias.copy_(weights[:, -1])
            weights = weights[:, :-1]
        layer.weight.copy_(weights.reshape(layer.weight.shape))
