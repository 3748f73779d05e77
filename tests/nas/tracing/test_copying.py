import copy

import torch
from torch import nn

from nas.tracing.copying import deep_copy


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.first = self.second = nn.Linear(3, 3)
        self.third = nn.Linear(3, 3)
        self.third.weight = self.first.weight
        self.listed = [self.first, {"a": self.first.weight}]
        self.none = None


class SaysHow(nn.Linear):
    def __deepcopy__(self, memo: dict[int, object]) -> "SaysHow":
        return self


def test_a_copy_shares_within_what_the_network_shares_and_nothing_with_it() -> None:
    network = Shared()
    found = deep_copy(network)
    assert isinstance(found, Shared)
    assert found.first is found.second is found.listed[0]
    assert found.first.weight is found.third.weight is found.listed[1]["a"]  # type: ignore[index]
    assert found.first.weight is not network.first.weight
    assert found.state_dict().keys() == network.state_dict().keys()
    with torch.no_grad():
        network.norm.weight.fill_(2.0)
    assert found.norm.weight.tolist() == [1.0] * 3


def test_what_says_how_it_is_copied_is_copied_so() -> None:
    network = nn.Sequential(SaysHow(2, 2))
    assert deep_copy(network)[0] is copy.deepcopy(network)[0] is network[0]  # type: ignore[index]


def test_hooks_are_copied() -> None:
    network = nn.Sequential(nn.ReLU())
    network[0].register_forward_hook(lambda *_: torch.tensor(7.0))
    assert float(deep_copy(network)(torch.ones(1))) == 7.0
