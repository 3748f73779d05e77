"""The check that every kind of choice in a space has an effect."""

from collections.abc import Hashable, Sequence

import numpy as np

from nas.compress import Compressor
from nas.data import Task
from nas.seeds import seeded
from nas.space import Design, SearchSpace, present_name
from nas.training.recipe_choices import SITE

DESIGNS_TRIED = 30


class _TrackedDesign(Design):
    """A design that notes the names of the choices that are read."""

    def __init__(self, design: Design, read: set[str]) -> None:
        super().__init__(design)
        self._read = read

    def __getitem__(self, name: str) -> Hashable:
        self._read.add(name)
        return super().__getitem__(name)

    def under(self, site: str) -> Design:
        return _TrackedDesign(super().under(site), self._read)


def check_kinds(
    space: SearchSpace, compressors: Sequence[Compressor], task: Task, rng: np.random.Generator
) -> None:
    """Builds up to 30 random designs, until every kind of choice was read by `build` or belongs to a
    compressor. Choices of the recipe are the evaluator's.

    Raises:
        ValueError: if neither `build` nor a compressor uses a kind of choice of the space.
        Exception: what `build` raises, if it fails for all of these designs.
    """
    choices, read, built = space.choices, set[str](), 0
    kinds = {choice.kind for choice in choices if choice.site != SITE}
    applied = {present_name(compressor.kind) for compressor in compressors}
    failure: Exception | None = None
    for _ in range(DESIGNS_TRIED):
        design = choices.decode(choices.sample(rng))
        try:
            with seeded(0):
                space.build(_TrackedDesign(design, read), task.example, task.outputs)
            built += 1
        except Exception as error:
            failure = error
        used = {present_name(name).rpartition(".")[2] for name in read}
        if built and kinds <= used | applied:
            return
    if failure is not None and not built:
        raise failure
    unused = sorted(kinds - used - applied)
    raise ValueError(
        f"every kind of choice must be read by build() or applied by a compressor, but {unused} are not: "
        f"build() of {type(space).__name__} reads {sorted(used)} and the compressors apply {sorted(applied)}"
    )
