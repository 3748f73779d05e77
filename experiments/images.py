"""A search for the most accurate network for images within a budget, trained from scratch."""

from dataclasses import replace
from functools import partial
from typing import Literal

from compressors.quantization import Quantization
from experiments.options import FirstOf, SearchOptions
from nas.data.load import load_task
from nas.experiment import Experiment
from nas.strategy import StrategyFactory
from nas.threads import one_thread
from nas.training.augmentation import AUGMENTATIONS
from nas.training.distil import Teacher
from nas.training.fit import cross_entropy
from nas.training.recipe_for import VARIED_PARAMETERS, recipe_for
from nas.training.supernet import Supernet
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.first_networks import first_networks
from strategies.warm_start import WarmStart

WIDTHS = (
    (4, 5, 6, 7, 8, 9, 10, 12, 14, 16),
    (6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32),
    (8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48),
    (12, 16, 20, 24, 32, 40, 48),
)
"""Of each stage, so close together that a network can fill its budget."""
BITS_PER_WEIGHT = 2.7
"""What a weight of a small network takes in a file, roughly: three bits, coded, and scales."""
DEFAULTS = SearchOptions(
    size_bytes=6144,
    samples=12_000,
    epochs=6,
    finetune_epochs=3,
    fidelity="halving",
    rate_penalty=0.1,
)
TEACHER = FirstOf(
    ConvBlocks(
        widths=((32,), (64,), (96,)),
        stages=(3,),
        operators=("conv3x3",),
        stem_halvings=("pool",),
        halvings=("pool",),
    )
)


def images(
    data: str,
    options: SearchOptions = DEFAULTS,
    warm_start: bool = True,
    final_augmentation: Literal["off", "mild", "mirrored", "strong"] | None = None,
    supernet_epochs: int = 0,
) -> Experiment:
    """Searches for a convolutional network for images: Fashion-MNIST, CIFAR, or yours.

    Of Fashion-MNIST within 16 KiB it takes about an hour on two cores, by the time of one candidate, and
    less within fewer bytes. A file of 1,500 bytes that was found so is right about 89 % of the test images
    (benchmarks/RESULTS.md).

    Args:
        data: a folder of MNIST's or CIFAR's files or of images, or an .npz archive with inputs and
            labels
        warm_start: whether the search begins with networks as one would make them by hand, as wide
            as the limits allow
        final_augmentation: how images are varied in the trainings after the search; by default as in
            the search if that is said, or mild where the limit allows 16,000 weights or more, and else
            off
        supernet_epochs: epochs of training weights before the search that all of its candidates start
            from; 0 has them start from nothing
    """
    if options.size_bytes is None:
        raise ValueError("size_bytes must be a number of bytes for images, but is None")
    task = load_task(data)
    parameters = round(8 * options.size_bytes / BITS_PER_WEIGHT)
    epochs, finetune_epochs = options.epochs, options.finetune_epochs
    own = recipe_for(parameters, task, epochs=epochs, finetune_epochs=finetune_epochs)
    fitting = "mild" if parameters >= VARIED_PARAMETERS else "off"
    last = AUGMENTATIONS[final_augmentation or options.augmentation or fitting]
    made = options.experiment(
        space=ConvBlocks(widths=WIDTHS),
        compressors=(Quantization(weights="lsq"),),
        task=task,
        recipe=own,
        final_recipe=replace(options.recipe(own), augmentation=last),
        teacher=Teacher(build=TEACHER),
        begun=_first if warm_start else None,
    )
    return replace(made, supernet=Supernet(epochs=supernet_epochs)) if supernet_epochs else made


@one_thread()
def _first(experiment: Experiment) -> StrategyFactory:
    """The strategy of the experiment, begun with networks as made by hand."""
    facts = experiment.evaluator(cross_entropy).facts
    genotypes = first_networks(experiment.space.choices, facts)
    return partial(WarmStart, strategy=experiment.strategy, genotypes=genotypes)


if __name__ == "__main__":
    from nas.cli.main import run_script

    run_script(images)
