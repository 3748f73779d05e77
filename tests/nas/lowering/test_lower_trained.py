import copy
import itertools

import numpy as np
import pytest
import torch

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress
from nas.data import Split, Task
from nas.data.digits import digits
from nas.lowering import lower, snapped
from nas.program import Interpreter
from nas.seeds import seeded
from nas.space import SearchSpace
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.conv_stages import ConvStages
from search_spaces.mlp import Mlp


@pytest.fixture(scope="module")
def task() -> Task:
    return digits(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("space", "seed"), list(itertools.product([ConvStages(), ConvBlocks(), Mlp()], range(2)))
)
def test_the_program_of_a_trained_network_says_what_it_does(
    task: Task, space: SearchSpace, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    design = space.choices.decode(space.choices.sample(rng))
    # Four epochs: after one, a network of this space may be at chance, its two highest logits a
    # single step apart.
    recipe, shuffle = Recipe(), torch.Generator().manual_seed(seed)
    with seeded(seed):
        model = space.build(design, task.example, task.classes)
        model = compress(model, design, (ChannelPruning(), Quantization()), task.train.inputs[:256])
        fit(model, task, recipe, epochs=4, lr=recipe.lr, loss=cross_entropy, generator=shuffle)
    before = copy.deepcopy(model)
    model = snapped(model)
    program = lower(model, task.example)
    inputs = held_out(task).inputs
    with torch.no_grad():
        said, unsnapped = model.eval()(inputs), before.eval()(inputs)
    found = Interpreter(program)(inputs)
    off = (found - said).abs() / program.tensors[-1].scale
    # Of 200 random networks 99.997 % of outputs are within a step (benchmarks/agreement.py); a
    # single deep one has fewer.
    assert (off < 1.01).double().mean() >= 0.995
    assert (found.argmax(1) == said.argmax(1)).double().mean() >= 0.99
    assert (found.argmax(1) == unsnapped.argmax(1)).double().mean() >= 0.95


def held_out(task: Task) -> Split:
    parts = (task.validation, task.test)
    return Split(
        torch.cat([part.inputs for part in parts]), torch.cat([part.labels for part in parts])
    )
