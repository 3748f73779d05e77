"""What `nas export --to torch` wrote, as a network again."""

import json
from pathlib import Path

from torch import nn

from nas.experiment import Experiment
from nas.regular_file import read_regular
from nas.runs.made_design import options_made
from nas.threads import one_thread
from nas.training.fit import cross_entropy
from nas.training.given_network import load_weights

MOST_BYTES = 2**24


def description_path(weights: Path) -> Path:
    """The JSON beside a file of weights, with the design, the genotype and the metrics."""
    return weights.with_name(weights.name + ".json")


def load_exported(experiment: Experiment, weights: Path | str) -> nn.Module:
    """The trained and compressed network of a file that `nas export --to torch` wrote, in evaluation mode;
    FILE.json must lie beside it. It needs no run directory, but the space and the compressors of the
    run.

    Raises:
        ValueError: if a file is missing or damaged, or of another space or other compressors than those of
            `experiment`.
    """
    weights = Path(weights)
    beside, choices = description_path(weights), experiment.space.choices
    try:
        stored = json.loads(read_regular(beside, MOST_BYTES))
        genotype = choices.canonical(tuple(map(int, stored["genotype"])))
        design = options_made(choices, genotype, stored["design"])
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{beside} must hold the design of a network of this experiment's space, but {error!r}"
        ) from error
    if design.keys() != stored["design"].keys():
        raise ValueError(
            f"{beside} must hold the choices {[*design]} of this experiment's space, but has {[*stored['design']]}"
        )
    with one_thread():
        model = experiment.evaluator(cross_entropy).compressed(genotype, design)
    load_weights(model, weights)
    return model.eval()
