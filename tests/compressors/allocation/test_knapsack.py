from itertools import product

import numpy as np
import pytest

from compressors.allocation.knapsack import Item, Layer, least_loss

RATIOS = (0.0, 0.5)


def drawn(seed: int) -> tuple[dict[str, dict[float, Item]], dict[str, Layer]]:
    """Two groups and three layers, of which the second reads both, with two limited costs."""
    rng = np.random.default_rng(seed)

    def item() -> Item:
        return Item(float(rng.random()), rng.random(2))

    groups = {name: {ratio: item() for ratio in RATIOS} for name in "ab"}
    depends: dict[str, tuple[str, ...]] = {"first": ("a",), "second": ("a", "b"), "alone": ()}
    layers = {
        name: Layer(
            names,
            {key: {n: item() for n in range(3)} for key in product(RATIOS, repeat=len(names))},
        )
        for name, names in depends.items()
    }
    return groups, layers


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limit", [0.8, 1.5, 2.5, 10.0])
def test_it_finds_the_least_loss_of_all_that_fit(seed: int, limit: float) -> None:
    groups, layers = drawn(seed)
    limits = np.array([limit, limit])

    def items(ratios: dict[str, float], numbers: dict[str, int]) -> list[Item]:
        return [groups[name][ratio] for name, ratio in ratios.items()] + [
            layers[name].options[tuple(ratios[group] for group in layers[name].groups)][number]
            for name, number in numbers.items()
        ]

    every = [
        items(dict(zip("ab", ratios, strict=True)), dict(zip(layers, numbers, strict=True)))
        for ratios in product(RATIOS, repeat=2)
        for numbers in product(range(3), repeat=3)
    ]
    fitting = [
        sum(item.loss for item in chosen)
        for chosen in every
        if (sum(item.costs for item in chosen) <= limits).all()
    ]
    found = least_loss(groups, layers, limits)
    if found is None:
        assert not fitting
    else:
        chosen = items(*found)
        assert set(found[0]) == set("ab")
        assert set(found[1]) == set(layers)
        assert (np.sum([item.costs for item in chosen], 0) <= limits + 1e-9).all()
        assert sum(item.loss for item in chosen) == pytest.approx(min(fitting), rel=2e-3)


def test_without_groups_each_layer_takes_one_option() -> None:
    options = {n: Item(float(-n), np.array([float(n)])) for n in range(4)}
    layers = {name: Layer((), {(): options}) for name in "xy"}
    assert least_loss({}, layers, np.array([6.0])) == ({}, {"x": 3, "y": 3})
    found = least_loss({}, layers, np.array([5.0]))
    assert found is not None
    assert sorted(found[1].values()) == [2, 3]
    assert least_loss({}, layers, np.array([-1.0])) is None
