"""What is done with a network: each step, and what its file must say."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain

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
from nas.training.fit import Loss, fit
from nas.training.recipe import Recipe
from tests.zoo.families import Family

SAMPLES = 6


@dataclass(frozen=True)
class Specimen:
    """A network with samples: after a training of one step, and after one of its quantized form."""

    model: nn.Module
    task: Task

    @property
    def inputs(self) -> Tensor:
        return self.task.train.inputs


def specimen(family: Family) -> Specimen:
    """A network with random weights, whose normalizations have statistics of their inputs."""
    rng = torch.Generator().manual_seed(0)
    inputs = torch.rand(SAMPLES, *family.shape, generator=rng)
    with seeded(0):
        model = family.build()
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
        model.eval()
        classes = model(inputs.clone()).shape[1]
    split = Split(inputs, torch.arange(SAMPLES) % 2)
    return Specimen(model, Task(name="zoo", train=split, validation=split, test=split, classes=classes))


def _loss(found: Tensor | tuple[Tensor, ...], labels: Tensor, index: Tensor) -> Tensor:
    """The cross-entropy of all heads."""
    heads = found if isinstance(found, tuple) else (found,)
    return torch.stack([nn.functional.cross_entropy(head, labels) for head in heads]).sum()


def train(model: nn.Module, task: Task) -> None:
    """One epoch of a batch; each parameter has a gradient."""
    before = [parameter.detach().clone() for parameter in model.parameters()]
    loss: Loss = _loss
    rng, recipe = torch.Generator().manual_seed(0), Recipe(batch_size=SAMPLES)
    with seeded(0):
        (epoch,) = fit(model, task, recipe, epochs=1, lr=1e-3, loss=loss, generator=rng)
    assert np.isfinite(epoch.loss)
    changed = [
        not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)
    ]
    assert all(changed)


def shipped(model: nn.Module, task: Task) -> bytes:
    """The file of a network, which says what its program says, and ONNX Runtime what both say."""
    program = lower(model, task.train.inputs)
    packed = pack(program)
    loaded = unpack(packed)
    inputs = torch.cat([task.train.inputs, -3.0 * task.train.inputs])
    wanted = logits(program, inputs)
    np.testing.assert_array_equal(logits(loaded, inputs), wanted)
    found = run_onnx(to_onnx(loaded), inputs.numpy(), saturate=True)
    np.testing.assert_array_equal(found, wanted)
    assert sum(entry.bytes for entry in ledger(packed)) == len(packed)
    assert loaded.peak_memory == program.peak_memory > task.train.inputs[0].numel()
    assert 0.0 <= score(loaded, task.test) <= 1.0
    return packed
