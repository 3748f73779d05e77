import math

import numpy as np
import pytest
import torch

from nas.quantize.entropy import SMOOTHING, _divergence, entropy


def normal(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("levels", [4, 16, 256])
def test_outliers_are_clipped_with_few_levels(levels: int) -> None:
    values = torch.cat([normal(20000).abs(), torch.tensor([40.0])])
    low, high = entropy(values, levels)
    assert low == 0.0
    assert 1.0 < high < 15.0


def test_fewer_levels_clip_more() -> None:
    values = normal(20000).abs() ** 2
    ends = [entropy(values, levels)[1] for levels in (4, 16, 256)]
    assert ends[0] < ends[2]
    assert ends == sorted(ends)


def test_uniform_values_keep_their_range() -> None:
    values = torch.linspace(0.0, 3.0, 40001)
    assert entropy(values, 256) == (0.0, 3.0)


def test_both_ends_are_clipped_at_the_same_magnitude() -> None:
    values = torch.cat([normal(20000), torch.tensor([-50.0, 60.0])])
    low, high = entropy(values, 256)
    assert low == -high
    assert 2.0 < high < 20.0
    # An end that lies within stays.
    low, high = entropy(torch.cat([normal(20000).abs(), torch.tensor([-0.1, 60.0])]), 256)
    assert low == pytest.approx(-0.1)
    assert high < 20.0


def test_all_zero_values_have_a_range() -> None:
    assert entropy(torch.zeros(9), 256) == (0.0, 0.0)


def test_the_divergence_by_hand() -> None:
    # Cut at 4 bins, 2 are left over, and 2 levels share 4 + 2 and 0 + 1 among the bins that are not
    # empty.
    counts = np.array([4.0, 2.0, 0.0, 1.0, 2.0])
    p = np.array([4, 2, 0, 3]) / 9 + SMOOTHING / 4
    q = np.array([3, 3, 0, 1]) / 7 + SMOOTHING / 4
    p, q = p / p.sum(), q / q.sum()
    expected = sum(float(one) * math.log(one / other) for one, other in zip(p, q, strict=True))
    assert _divergence(counts, 4, 2) == pytest.approx(expected)
