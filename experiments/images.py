"""A search for the most accurate network for images within a budget, trained from scratch."""

from dataclasses import replace
from functools import partial
from typing import Literal

from compressors.quantization import Quantization
from nas.data.load import load_task
from nas.experiment import Experiment
from nas.measure.boards import BoardName, limits_on
from nas.objective import Budget, Objective
from nas.seeds import generator
from nas.strategy import StrategyFactory
from nas.threads import one_thread
from nas.training.augmentation import AUGMENTATIONS
from nas.training.fit import cross_entropy
from nas.training.recipe_for import VARIED_PARAMETERS, recipe_for
from nas.training.supernet import Supernet
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.first_networks import first_networks
from strategies.multi_fidelity.halving import Fidelity, at_fidelity
from strategies.names import StrategyName, strategy_class
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


def images(
    data: str,
    size_bytes: int = 6144,
    flash_bytes: int | None = None,
    macs: int | None = None,
    peak_memory_bytes: int | None = None,
    strategy: StrategyName = "evolution",
    warm_start: bool = True,
    trials: int = 60,
    samples: int | None = 12_000,
    epochs: int = 6,
    finetune_epochs: int = 3,
    fidelity: Fidelity = "halving",
    rate_penalty: float = 0.1,
    final_augmentation: Literal["off", "mild", "mirrored", "strong"] | None = None,
    seed: int = 0,
    board: BoardName | None = None,
    supernet_epochs: int = 0,
    preprocessing: bool = False,
) -> Experiment:
    """Searches for a convolutional network for images: Fashion-MNIST, CIFAR-10, or yours.

    Args:
        data: a folder of MNIST's or CIFAR-10's files or of images, or an .npz archive with inputs
            and labels
        size_bytes: largest size of the packed file: a number of bytes, or 6kB, or 6KiB
        flash_bytes: largest size of the program as a device stores it, in bytes
        macs: largest number of multiply-accumulates for one image
        peak_memory_bytes: largest peak memory of activations, in bytes
        strategy: search strategy; tpe and gp need the extra optuna
        warm_start: whether the search begins with networks as one would make them by hand, as wide
            as the limits allow
        trials: number of candidates to train
        samples: training images of the search; candidates that are trained again get all
        epochs: training epochs before quantization
        finetune_epochs: training epochs after it
        fidelity: full trains all candidates for all epochs; halving (successive halving) and
            hyperband train many for few epochs and the best of them longer
        rate_penalty: weight of the mean bits that a coded weight takes, in the loss after quantization:
            wider networks fit then
        final_augmentation: how images are varied in the trainings after the search; by default mild,
            moved by up to two pixels, where the limit allows 16,000 weights or more, and else off;
            mirrored and strong also mirror them
        seed: seed of the search and of training; the split of the data is fixed
        board: a board whose flash and memory limit flash_bytes and peak_memory_bytes, where they are not
            smaller already: uno, pico, nano33ble, stm32f4, stm32h7 or esp32
        supernet_epochs: epochs of training weights before the search that all of its candidates start
            from; 0 has them start from nothing
        preprocessing: files say how raw pixels become inputs, and are a byte longer
    """
    task = load_task(data, generator(0, "data"))
    limits = {
        "size_bytes": size_bytes,
        "flash_bytes": flash_bytes,
        "macs": macs,
        "peak_memory_bytes": peak_memory_bytes,
    }
    budget = Budget(limits_on(board, limits))
    parameters = round(8 * size_bytes / BITS_PER_WEIGHT)
    fitted = recipe_for(parameters, task, epochs=epochs, finetune_epochs=finetune_epochs)
    recipe = replace(fitted, rate_penalty=rate_penalty)
    if final_augmentation is None:
        final_augmentation = "mild" if parameters >= VARIED_PARAMETERS else "off"
    experiment = Experiment(
        space=ConvBlocks(widths=WIDTHS),
        compressors=(Quantization(weights="lsq"),),
        task=task,
        samples=samples,
        recipe=recipe,
        final_recipe=replace(recipe, augmentation=AUGMENTATIONS[final_augmentation]),
        objective=Objective(maximize=("accuracy",), minimize=("size_bytes",), budget=budget),
        strategy=strategy_class(strategy),
        trials=trials,
        packs_preprocessing=preprocessing,
        seed=seed,
        supernet=Supernet(epochs=supernet_epochs) if supernet_epochs else None,
    )
    first = _first(experiment) if warm_start else experiment.strategy
    return replace(experiment, strategy=at_fidelity(fidelity, first, epochs + finetune_epochs))


@one_thread()
def _first(experiment: Experiment) -> StrategyFactory:
    """The strategy of the experiment, begun with networks as made by hand."""
    facts = experiment.evaluator(cross_entropy).facts
    genotypes = first_networks(experiment.space.choices, facts)
    return partial(WarmStart, strategy=experiment.strategy, genotypes=genotypes)


if __name__ == "__main__":
    from nas.cli.main import run_script

    run_script(images)
