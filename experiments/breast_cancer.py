"""A search for the smallest accurate network on a table of tumors, which reads few measurements."""

from typing import Literal

from compressors.features import (
    FeatureCriterion,
    FeatureSelection,
    l1,
    mutual_information,
    ranked,
    tree_importance,
)
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.data import breast_cancer as read_breast_cancer
from nas.experiment import Experiment
from nas.objective import Budget, Objective
from nas.seeds import generator
from nas.training.recipe import Recipe
from search_spaces.mlp import Mlp
from strategies.evolutionary.aging import AgingEvolution

CRITERIA: dict[str, FeatureCriterion] = {
    "mutual_information": mutual_information,
    "l1": l1,
    "tree_importance": tree_importance,
}


def breast_cancer(
    criterion: Literal["mutual_information", "l1", "tree_importance"] = "mutual_information",
    trials: int = 40,
    size_bytes: int = 200,
    epochs: int = 20,
    finetune_epochs: int = 10,
    seed: int = 0,
) -> Experiment:
    """Searches for a network on scikit-learn's breast cancer data, 30 measurements of 569 tumors.

    Args:
        criterion: criterion by which measurements are ranked; the search chooses how many are read
        trials: number of candidates to train
        size_bytes: largest size of the packed file, in bytes
        epochs: training epochs before compression
        finetune_epochs: training epochs after compression
        seed: seed of the search and of training; the split of the data is fixed
    """
    task = read_breast_cancer(generator(0, "breast_cancer"))
    order = ranked(task.train, CRITERIA[criterion], generator(seed, "features"))
    return Experiment(
        space=Mlp(layers=2, widths=(2, 3, 4, 6, 8, 12, 16), features=(3, 5, 8, 12, 20, 30)),
        compressors=(ChannelPruning(), FeatureSelection(order), Quantization()),
        task=task,
        recipe=Recipe(epochs=epochs, finetune_epochs=finetune_epochs, batch_size=32),
        objective=Objective(
            maximize=("accuracy",),
            minimize=("size_bytes",),
            budget=Budget({"size_bytes": size_bytes}),
        ),
        strategy=AgingEvolution,
        trials=trials,
        seed=seed,
    )


if __name__ == "__main__":
    from nas.cli.main import run_script

    run_script(breast_cancer)
