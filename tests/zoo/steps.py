"""What is done with a network: each step, and what its file must say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from compressors import factorize, prunable, prune, quantize, share, sparsify
from compressors.factors import by_ratio
from nas.data import Split, Task
from nas.lowering import lower
from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.packed import ledger, pack, unpack
from nas.program import logits, score
from nas.seeds import seeded
from nas.training.fit import fit
from nas.training.recipe import Recipe
from tests.zoo.families import Family

SAMPLES = 6


@dataclass(frozen=True)
class Specimen:
    """A network and a task of few samples."""

    model: nn.Module
    task: Task

    @property
    def inputs(self) -> Tensor:
        return self.task.train.inputs


def specimen(family: Family) -> Specimen:
    """A network of random weights, also those of its normalizations, with random samples."""
    inputs = torch.rand(SAMPLES, *family.shape, generator=torch.Generator().manual_seed(0))
    with seeded(0):
        model = family.build().eval()
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
    split = Split(inputs, torch.arange(SAMPLES) % 2)
    classes = model(inputs.clone()).shape[1]
    task = Task(name="zoo", train=split, validation=split, test=split, classes=classes)
    return Specimen(model, task)


def train(model: nn.Module, task: Task) -> None:
    """One epoch of one batch, in which every parameter changes."""
    before = [parameter.detach().clone() for parameter in model.parameters()]
    rng, recipe = torch.Generator().manual_seed(0), Recipe(batch_size=SAMPLES)
    with seeded(0):
        (epoch,) = fit(model, task, recipe, epochs=1, lr=1e-3, loss=_of_all_heads, generator=rng)
    assert np.isfinite(epoch.loss)
    changed = [not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)]
    assert all(changed)


def _of_all_heads(found: Tensor, labels: Tensor, index: Tensor) -> Tensor:
    """The sum of the cross-entropies of all heads, where a network in training has several."""
    heads = cast(tuple[Tensor, ...], found) if isinstance(found, tuple) else (found,)
    return torch.stack([nn.functional.cross_entropy(head, labels) for head in heads]).sum()


def shipped(model: nn.Module, task: Task) -> bytes:
    """The file of a network: loaded again, it says what its program says, and so does ONNX Runtime,
    bit for bit.
    """
    inputs = torch.cat([task.train.inputs, -3.0 * task.train.inputs])
    program = lower(model, task.train.inputs)
    packed = pack(program)
    loaded, wanted = unpack(packed), logits(program, inputs)
    np.testing.assert_array_equal(logits(loaded, inputs), wanted)
    np.testing.assert_array_equal(run_onnx(to_onnx(loaded), inputs.numpy(), saturate=True), wanted)
    assert sum(entry.bytes for entry in ledger(packed)) == len(packed)
    assert loaded.peak_memory == program.peak_memory > task.train.inputs[0].numel()
    assert 0.0 <= score(loaded, task.test) <= 1.0
    return packed


def pruned(model: nn.Module, inputs: Tensor) -> nn.Module:
    """Half of each group of channels that can be pruned."""
    names = [name for group in prunable(model, inputs) for name in group]
    return prune(model, dict.fromkeys(names, 0.5), inputs)


COMPRESSED: Mapping[str, Callable[[nn.Module, Tensor], nn.Module]] = {
    "pruned": pruned,
    "sparse": lambda model, inputs: sparsify(model, 0.5, inputs),
    "shared": lambda model, inputs: share(model, 8, inputs),
    "factorized": lambda model, inputs: factorize(model, by_ratio(0.5)),
}
"""How a network is made smaller, before its weights are quantized."""


def quantized(model: nn.Module, bits: int, inputs: Tensor) -> nn.Module:
    return quantize(model, bits, inputs)
