"""One option for each layer and each group of channels, of least loss within limits: a
multiple-choice knapsack.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

# Limits of nodes, unlike those of time, give the same result on any machine.
NODES, GAP = 2000, 1e-3


@dataclass(frozen=True)
class Item:
    """What one option adds to the loss, and to each limited cost, [costs]."""

    loss: float
    costs: NDArray[np.float64]


Key = tuple[float, ...]

Table = Mapping[Key, Mapping[int, Item]]
"""The options of a layer, by number, for each combination of options of its groups."""


@dataclass(frozen=True)
class Layer:
    """The names of the groups that a layer depends on, and its options for each combination of
    theirs.
    """

    groups: tuple[str, ...]
    options: Table


@dataclass
class _Rows:
    """Rows of a sparse matrix of constraints, each with the value that its sum must have."""

    entries: list[tuple[int, int, float]] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, terms: Iterable[tuple[int, float]], value: float) -> None:
        self.entries.extend((len(self.values), column, factor) for column, factor in terms)
        self.values.append(value)

    def constraint(self, columns: int) -> LinearConstraint:
        rows, places, factors = zip(*self.entries, strict=True)
        shape = (len(self.values), columns)
        return LinearConstraint(
            csr_matrix((factors, (rows, places)), shape=shape), self.values, self.values
        )


def least_loss(
    groups: Mapping[str, Mapping[float, Item]],
    layers: Mapping[str, Layer],
    limits: NDArray[np.float64],
) -> tuple[dict[str, float], dict[str, int]] | None:
    """One option for each group and each layer, of least loss in all, whose costs add up to at most
    `limits`, [costs]; None if nothing fits.

    It is a mixed-integer linear program, solved by HiGHS: each combination of an option of a layer
    and of options of its groups is a variable, and what layers take for a group must agree.
    """
    of_groups = [(name, option) for name, options in groups.items() for option in options]
    of_layers = [
        (name, key, number)
        for name, layer in layers.items()
        for key, options in layer.options.items()
        for number in options
    ]
    items = [groups[name][option] for name, option in of_groups]
    items += [layers[name].options[key][number] for name, key, number in of_layers]
    rows = _Rows()
    for name in groups:
        rows.add(_ones(i for i, column in enumerate(of_groups) if column[0] == name), 1.0)
    starts = _starts([name for name, _, _ in of_layers], len(of_groups))
    for name, layer in layers.items():
        rows.add(_ones(starts[name]), 1.0)
        for place, group in enumerate(layer.groups):
            for i, column in enumerate(of_groups):
                if column[0] == group:
                    agreeing = (
                        j
                        for j in starts[name]
                        if of_layers[j - len(of_groups)][1][place] == column[1]
                    )
                    rows.add([*_ones(agreeing), (i, -1.0)], 0.0)
    found = milp(
        np.array([item.loss for item in items]),
        constraints=[
            rows.constraint(len(items)),
            LinearConstraint(np.stack([item.costs for item in items], 1), -np.inf, limits),
        ],
        integrality=np.ones(len(items)),
        bounds=Bounds(0, 1),
        options={"node_limit": NODES, "mip_rel_gap": GAP},
    )
    if found.x is None:
        return None
    taken = [share > 0.5 for share in found.x]
    return (
        dict(column for column, is_in in zip(of_groups, taken, strict=False) if is_in),
        {
            name: number
            for (name, _, number), is_in in zip(of_layers, taken[len(of_groups) :], strict=True)
            if is_in
        },
    )


def _ones(columns: Iterable[int]) -> list[tuple[int, float]]:
    return [(column, 1.0) for column in columns]


def _starts(names: Sequence[str], first: int) -> dict[str, range]:
    """The range of the columns of each layer, whose columns are neighbors."""
    ranges = dict[str, range]()
    for column, name in enumerate(names, first):
        ranges[name] = range(ranges[name].start if name in ranges else column, column + 1)
    return ranges
