import numpy as np
import pytest

from nas.space import Choice, Choices
from strategies.bayesian.encoding import Encoding, genotypes
from strategies.bayesian.gaussian_process import Kernel
from strategies.bayesian.inputs import Inputs

CHOICES = Choices(
    [Choice(f"s{stage}", "op", ("skip", "conv", "separable")) for stage in range(8)]
    + [
        Choice(f"s{stage}", "width", tuple(range(8)), (f"s{stage}.op", frozenset({"conv"})))
        for stage in range(8)
    ]
)
ENCODING = Encoding(CHOICES)
RNG = np.random.default_rng(0)
MANY, OTHERS = (ENCODING.inputs(genotypes(ENCODING.sample(RNG, count))) for count in (150, 180))
KERNEL = Kernel(gene_linear_variance=2.0, gene_squared_length=0.5)


@pytest.mark.parametrize("others", [OTHERS, MANY], ids=["others", "themselves"])
def test_shared_options_tell_what_features_do(others: Inputs) -> None:
    pairs = MANY.pairs(others)
    assert pairs.places is not None
    inner = MANY.genes @ others.genes.T
    distances = ((MANY.genes[:, None] - others.genes) ** 2).sum(2)
    read = np.broadcast_to(pairs.inner, pairs.distances.shape)
    assert pairs.spread(read) == pytest.approx(inner)
    assert pairs.spread(pairs.distances) == pytest.approx(distances, abs=1e-12)


def test_kernels_of_options_and_of_features_are_the_same() -> None:
    bare = [Inputs(each.genes, each.costs) for each in (MANY, OTHERS)]
    assert KERNEL.covariance(MANY, OTHERS) == pytest.approx(KERNEL.covariance(*bare))


def test_options_stay_with_inputs_that_follow_others() -> None:
    both = MANY.followed_by(OTHERS)
    assert both.pairs(OTHERS).places is not None
    assert KERNEL.covariance(both, OTHERS) == pytest.approx(
        np.vstack((KERNEL.covariance(MANY, OTHERS), KERNEL.covariance(OTHERS, OTHERS)))
    )
    alone = MANY.followed_by(Inputs(OTHERS.genes, OTHERS.costs))
    assert alone.options is None
    assert len(alone) == len(both) == 330
