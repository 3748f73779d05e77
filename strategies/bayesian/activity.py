"""Which choices of many genotypes are active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.space import Choices

Active = NDArray[np.bool_]


@dataclass(frozen=True)
class _Level:
    """Choices that hang on earlier levels only, c of them, with up to a alternatives of up to k
    conditions.
    """

    choices: NDArray[np.intp]
    """[c]"""
    parents: NDArray[np.intp]
    """The choice that each condition is on, [c, a, k]."""
    starts: NDArray[np.intp]
    """Where its options start in `holds`, [c, a, k]."""
    holds: Active
    """Whether a condition holds, for each option of its parent, one condition after the other; the
    first never holds.
    """
    void: Active
    """Which places are no condition, and so hold, [c, a, k]."""


class Activity:
    """Which choices are active, computed for all choices that hang on equally many others above
    them at once.

    Args:
        choices: The space.
    """

    def __init__(self, choices: Choices) -> None:
        self._width = len(choices)
        index = {choice.name: i for i, choice in enumerate(choices)}
        depths = list[int]()
        for choice in choices:
            above = [index[name] for each in choice.alternatives for name, _ in each]
            depths.append(1 + max((depths[parent] for parent in above), default=-1))
        self._levels = [
            _level(choices, index, [i for i, depth in enumerate(depths) if depth == level])
            for level in range(1, max(depths) + 1)
        ]

    def of(self, genes: NDArray[np.int64]) -> Active:
        """Which choices are active, [n, choices], for genes [n, choices]."""
        active = np.ones(genes.shape, np.bool_)
        for level in self._levels:
            parents = level.parents
            holds = level.holds.take(genes[:, parents] + level.starts)
            holds &= active[:, parents]
            holds |= level.void
            active[:, level.choices] = np.any(np.all(holds, axis=3), axis=2)
        return active


def _level(choices: Choices, index: Mapping[str, int], members: Sequence[int]) -> _Level:
    alternatives = [choices[member].alternatives for member in members]
    most = max(map(len, alternatives))
    longest = max(len(conditions) for each in alternatives for conditions in each)
    parents, starts = np.zeros((2, len(members), most, longest), np.intp)
    void = np.zeros(parents.shape, np.bool_)
    holds = [False] * max(choices.arities)
    for row, each in enumerate(alternatives):
        for column, conditions in enumerate(each):
            void[row, column, len(conditions) :] = True
            for place, (name, values) in enumerate(conditions):
                parents[row, column, place] = index[name]
                starts[row, column, place] = len(holds)
                holds += [option in values for option in choices[index[name]].options]
    return _Level(np.array(members), parents, starts, np.array(holds), void)
