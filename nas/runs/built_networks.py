"""What `build` of a run's space gives, so that a run is not resumed with another one.

The header of a run describes its space by name, and the code of `build` may have changed under it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.experiment import Experiment
from nas.runs.directory import RunDirectoryError
from nas.seeds import candidate_seed, generator, seeded
from nas.space import Genotype

COUNT = 8
"""How many candidates are described, drawn at random by the seed of the run."""
MOST_OUTPUTS, MOST_DIFFERENCES = 16, 3
TOLERANCE = 1e-3
"""Of outputs, relative to the largest: processors round differently."""

Description = Mapping[str, Any]
"""A candidate as JSON: its `genotype`, the repr of each of its `layers` by dotted name, and its first
`outputs` on the first training sample, with initial weights.
"""


@dataclass(frozen=True, eq=False)
class BuiltNetworks:
    """The networks that the space of an experiment builds; `built` gives one as `built_network` does
    (None: in this process).
    """

    experiment: Experiment
    built: Callable[[Genotype], Mapping[str, Any]] | None = None

    def describe(self) -> list[Description]:
        """Some candidates, for the header of a run; those that cannot be built are left out, and what
        `build` does not give twice.
        """
        rng, found = generator(self.experiment.seed, "built"), dict[Genotype, Description]()
        choices = self.experiment.space.choices
        for _ in range(COUNT):
            genotype = choices.sample(rng)
            once, again = self._built(genotype), self._built(genotype)
            same = {name: part for name, part in once.items() if again.get(name) == part}
            if same and genotype not in found:
                found[genotype] = {"genotype": list(genotype), **same}
        return list(found.values())

    def check(self, out: Path, stored: Sequence[Description], outputs: bool = True) -> None:
        """Checks that `build` gives the networks that the header of the run `out` describes; without
        `outputs`, that they have the same layers.

        Raises:
            RunDirectoryError: if it does not, with the design and what differs.
        """
        choices = self.experiment.space.choices
        for description in stored:
            genotype = choices.canonical(description["genotype"])
            given = self._built(genotype)
            if changes := _changes(description, given, outputs):
                design = ", ".join(f"{k} {v}" for k, v in choices.decode(genotype).items())
                more = len(changes) - MOST_DIFFERENCES
                listed = "; ".join(changes[:MOST_DIFFERENCES]) + (f"; and {more} more" * (more > 0))
                raise RunDirectoryError(
                    f"{out} must be used with the build() that it was made by, but for the design {design}, "
                    f"{listed}: undo the change, or begin a new run in another directory"
                )

    def _built(self, genotype: Genotype) -> Mapping[str, Any]:
        return self.built(genotype) if self.built else built_network(self.experiment, genotype)


def built_network(experiment: Experiment, genotype: Genotype) -> dict[str, Any]:
    """The layers of a network and what it gives; without what raises."""
    found = dict[str, Any]()
    task, design = experiment.task, experiment.space.choices.decode(genotype)
    with seeded(candidate_seed(experiment.seed, genotype)), torch.no_grad():
        try:
            model = experiment.space.build(design, task.example, task.outputs)
            found["layers"] = {
                name: repr(module)
                for name, module in model.named_modules()
                if not any(module.children())
            }
            given = model.eval()(task.example)
        except Exception:  # the evaluation of a candidate gives the reason
            return found
    if isinstance(given, Tensor) and bool(given.isfinite().all()):
        found["outputs"] = given.flatten()[:MOST_OUTPUTS].tolist()
    return found


def _changes(was: Description, given: Description, outputs: bool) -> list[str]:
    """What differs between two descriptions, as phrases."""
    old, new = was.get("layers", {}), given.get("layers", {})
    changes = [
        f"{name or 'the network'} was {old.get(name)} and is {new.get(name)}"
        for name in {**old, **new}
        if "layers" in was and old.get(name) != new.get(name)
    ]
    if not changes and outputs and "outputs" in was and not _close(was, given):
        changes = [
            f"the outputs on the first training sample with initial weights were "
            f"{_text(was)} and are {_text(given)}"
        ]
    return changes


def _close(was: Description, given: Description) -> bool:
    old, new = was["outputs"], given.get("outputs", [])
    allowed = TOLERANCE * max(map(abs, old), default=0.0)
    return len(old) == len(new) and all(
        math.isclose(one, other, abs_tol=allowed) for one, other in zip(old, new, strict=True)
    )


def _text(description: Description) -> str:
    return str([float(f"{value:.4g}") for value in description.get("outputs", [])])
