"""How a network that is trained already is best compressed to fit a budget: all compressors at
once.
"""

from collections.abc import Hashable
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.methods import residual
from compressors.blocks import BlockPruning, droppable
from compressors.low_rank import LowRank, factorizable
from compressors.pruning import ChannelPruning, prunable
from compressors.quantization import Quantization
from compressors.sharing import Sharing, shareable
from compressors.sparsity import WeightPruning
from nas.compress import Compressor
from nas.data import Task
from nas.data import digits as read_digits
from nas.experiment import Experiment
from nas.objective import Budget, Objective
from nas.seeds import derive, generator, seeded
from nas.space import Choice, Choices
from nas.threads import one_thread
from nas.training import checkpoint as weights
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe
from search_spaces.trained_network import TrainedNetwork
from strategies.names import StrategyName, strategy_class

COMPRESSORS: tuple[Compressor, ...] = (
    BlockPruning(),
    ChannelPruning(unstated="follow"),
    LowRank(),
    WeightPruning(),
    Sharing(),
    Quantization(),
)
RATIOS: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75)
BITS: tuple[int, ...] = (1, 2, 3, 4, 8)
# Weights of 1 bit can be neither 0 nor shared, and few bits leave nothing for the others to save.
BESIDES: tuple[tuple[str, tuple[Hashable, ...], frozenset[Hashable]], ...] = (
    ("sparsity", (0.0, 0.5), frozenset({3, 4})),
    ("rank", (1.0, 0.25), frozenset({4, 8})),
    ("codes", (0, 16), frozenset({8})),
)

When = tuple[str, frozenset[Hashable]]


def joint(model: nn.Module, example: Tensor) -> Choices:
    """Whether each block is dropped, one pruning ratio for each group of channels, and the bits of
    each layer with what they allow.

    What lies in a dropped block is not asked for, and a layer of less than half as many weights as
    the mean one has bits alone.
    """
    blocks = droppable(model, example)

    def kept(site: str) -> When | None:
        return next(
            (
                (f"{block}.drop", frozenset({False}))
                for block in blocks
                if site.startswith(f"{block}.")
            ),
            None,
        )

    choices = [Choice(block, "drop", (False, True)) for block in blocks]
    choices += [
        Choice(group[0], "prune", RATIOS, kept(group[0])) for group in prunable(model, example)
    ]
    layers = (
        (name, layer)
        for name, layer in model.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    )
    sizes = {name: layer.weight.numel() for name, layer in layers}
    suitable = set(factorizable(model, 0.25)) & set(shareable(model, 16))
    for layer, size in sizes.items():
        choices.append(Choice(layer, "bits", BITS, kept(layer)))
        if layer in suitable and 2 * size * len(sizes) >= sum(sizes.values()):
            choices += [
                Choice(layer, kind, options, (f"{layer}.bits", bits))
                for kind, options, bits in BESIDES
            ]
    return Choices(choices)


def compression(
    strategy: StrategyName = "evolution",
    trials: int = 120,
    size_bytes: int | None = 3000,
    macs: int | None = None,
    peak_memory_bytes: int | None = None,
    weights_file: Path | None = None,
    width: int = 32,
    epochs: int = 16,
    finetune_epochs: int = 8,
    seed: int = 0,
) -> Experiment:
    """Trains a residual network for scikit-learn's 8x8 handwritten digits, and searches how to
    compress it.

    Args:
        strategy: how candidates are chosen; tpe and gp need the extra optuna
        trials: how many candidates are compressed and trained on
        size_bytes: most bytes of the stored network
        macs: most multiply-accumulates for one image
        peak_memory_bytes: most bytes of activations alive at once
        weights_file: trained weights of the network, as nas.training.checkpoint.save writes them;
            without, it is trained first
        width: channels of the network
        epochs: epochs for which the network is trained first
        finetune_epochs: training epochs after compression
        seed: of everything random but the split of the data, which is always the same
    """
    task = read_digits(generator(0, "digits"))
    limits = {"size_bytes": size_bytes, "macs": macs, "peak_memory_bytes": peak_memory_bytes}
    model = trained(task, width, epochs, weights_file, seed)
    return Experiment(
        space=TrainedNetwork(model, joint(model, task.example)),
        compressors=COMPRESSORS,
        task=task,
        recipe=Recipe(epochs=0, finetune_epochs=finetune_epochs, finetune_lr=5e-3),
        objective=Objective(
            maximize=("accuracy",),
            minimize=("size_bytes",),
            budget=Budget({name: limit for name, limit in limits.items() if limit is not None}),
        ),
        strategy=strategy_class(strategy),
        trials=trials,
        seed=seed,
    )


def trained(task: Task, width: int, epochs: int, weights_file: Path | None, seed: int) -> nn.Module:
    """The network with the weights of the file, or trained on one thread, so that they do not
    depend on the machine's cores.

    Raises:
        ValueError: if the file is missing, damaged, or of another network.
    """
    chosen = derive(seed, "trained")
    with seeded(chosen):
        model = residual(task, width)
    if weights_file is not None:
        if not weights.load(model, weights_file):
            raise ValueError(
                f"{weights_file} must hold weights of the network, but is missing, damaged or of another one"
            )
        return model
    recipe = Recipe(epochs=epochs, finetune_epochs=0)
    with one_thread():
        shuffle = torch.Generator().manual_seed(chosen)
        fit(model, task, recipe, epochs=epochs, lr=recipe.lr, loss=cross_entropy, generator=shuffle)
    return model


if __name__ == "__main__":
    from nas.cli.main import run_script

    run_script(compression)
