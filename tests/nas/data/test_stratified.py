import numpy as np
import pytest
import torch

from nas.data import Split, stratified
from nas.data.stratified import stratified_order

SIZES = (500, 300, 150, 49, 1)
LABELS = torch.repeat_interleave(torch.arange(len(SIZES)), torch.tensor(SIZES))
SORTED = Split(torch.arange(float(sum(SIZES)))[:, None], LABELS)


def drawn(count: int | None, seed: int = 0) -> Split:
    return stratified(SORTED, count, np.random.default_rng(seed))


@pytest.mark.parametrize("count", [5, 20, 256, 999])
def test_each_class_has_its_share_and_at_least_a_sample(count: int) -> None:
    found = torch.bincount(drawn(count).labels, minlength=len(SIZES))
    assert int(found.sum()) == count
    assert found.min() >= 1
    wanted = torch.tensor(SIZES) * count / sum(SIZES)
    assert ((found - wanted).abs() <= 2).all()


def test_the_first_few_are_drawn_so_too() -> None:
    order = stratified_order(LABELS, np.random.default_rng(0))
    assert torch.equal(drawn(256).inputs, SORTED.inputs[order][:256])
    assert torch.equal(order.sort().values, torch.arange(sum(SIZES)))


def test_samples_keep_their_labels_and_none_comes_twice() -> None:
    found = drawn(300)
    rows = found.inputs[:, 0].long()
    assert len(set(rows.tolist())) == 300
    assert torch.equal(found.labels, LABELS[rows])


def test_others_are_drawn_by_another_seed_and_the_same_by_the_same() -> None:
    assert torch.equal(drawn(100).inputs, drawn(100).inputs)
    assert not torch.equal(drawn(100).inputs, drawn(100, seed=1).inputs)


def test_samples_of_one_class_are_spread_over_its_rows() -> None:
    one = Split(SORTED.inputs, torch.zeros_like(LABELS))
    rows = stratified(one, 100, np.random.default_rng(0)).inputs
    assert 350 < rows.mean() < 650


@pytest.mark.parametrize("count", [None, 1000, 1001])
def test_a_split_that_has_no_more_stays_as_it_is(count: int | None) -> None:
    assert drawn(count) is SORTED
