"""The weights that the candidates of a run start from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from nas import durable
from nas.evaluation.drawn import drawn_within
from nas.evaluation.reach import Lookup
from nas.experiment import Experiment
from nas.seeds import derive, generator, seeded
from nas.training.fit import DivergedError, cross_entropy
from nas.training.shared_weights import SharedWeights
from nas.training.supernet import train_supernet

SUPERNET_FILE = "supernet.safetensors"


def shared_weights_of(experiment: Experiment, out: Path, facts: Lookup) -> SharedWeights | None:
    """The weights of the supernet of an experiment; None if it has none.

    They are trained once, and stored in the run directory `out`, whose header says all that they follow
    from. `facts` looks up costs, by which designs are drawn within the budget.

    Raises:
        ValueError: if nothing of the space can be built.
        RuntimeError: if the training diverges.
        OSError: if the file cannot be written.
    """
    if experiment.supernet is None:
        return None
    path = out / SUPERNET_FILE
    stored = _read(path)
    if stored is None:
        stored = trained_weights(experiment, facts)
        durable.write(path, safetensors.torch.save(dict(stored.tensors)))
    return stored


def _read(path: Path) -> SharedWeights | None:
    """What a file holds; None if it is missing or damaged, so that it is made again."""
    try:
        tensors: Mapping[str, Any] = safetensors.torch.load(path.read_bytes())
    except (FileNotFoundError, SafetensorError):
        return None
    usable = all(
        each.dtype == torch.float32 and bool(each.isfinite().all()) for each in tensors.values()
    )
    return SharedWeights(tensors) if usable else None


def trained_weights(experiment: Experiment, facts: Lookup) -> SharedWeights:
    """The weights of the supernet that an experiment has, trained anew.

    Raises:
        ValueError: if nothing of the space can be built.
        RuntimeError: if the training diverges.
    """
    supernet, choices = experiment.supernet, experiment.space.choices
    assert supernet is not None
    rng = generator(experiment.seed, "supernet")
    seed = derive(experiment.seed, "supernet")
    evaluator = experiment.evaluator(cross_entropy)
    budget = experiment.objective.budget
    drawn = drawn_within(choices, facts, budget, rng, supernet.designs)
    with seeded(seed):
        example = experiment.task.example
        networks = [evaluator.built(choices.decode(genotype), example) for genotype in drawn]
        try:
            return train_supernet(supernet, networks, evaluator.resident, experiment.recipe, seed)
        except DivergedError as error:
            raise RuntimeError(f"the supernet must be trained first, but {error}") from error
