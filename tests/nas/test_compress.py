from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nas.compress import compress, settings_of
from nas.seeds import seeded

EXAMPLE = torch.zeros(2, 3)


@dataclass(frozen=True)
class Scaling:
    """Multiplies weights by the chosen factor, in place, and records its calls."""

    kind: str
    calls: list[tuple[str, Mapping[str, Hashable], Tensor]] = field(default_factory=list)

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        self.calls.append((self.kind, settings, example))
        for site, factor in settings.items():
            assert isinstance(factor, float)
            model.get_submodule(site).weight.data.mul_(factor).add_(1.0)  # type: ignore[operator]
        return nn.Sequential(model)


def network() -> nn.Module:
    with seeded(0):
        model = nn.Sequential()
        model.add_module("a", nn.Linear(3, 3))
        model.add_module("b", nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Linear(3, 3)))
        model.add_module("b2", nn.Linear(3, 2))
        return model


def test_the_settings_of_a_kind_are_those_of_its_choices_by_site() -> None:
    design = {
        "depth": 3,
        "stem.bits": 4,
        "stage1.block0.bits": 2,
        "stage1.prune": 0.5,
        "bits": 8,
        "stage1.bits_of": 1,
    }
    assert settings_of(design, "bits") == {"stem": 4, "stage1.block0": 2, "": 8}
    assert settings_of(design, "prune") == {"stage1": 0.5}
    assert settings_of(design, "depth") == {"": 3}
    assert settings_of(design, "rank") == {}


def test_every_compressor_gets_the_choices_of_its_kind_in_turn() -> None:
    calls: list[tuple[str, Mapping[str, Hashable], Tensor]] = []
    design = {"a.first": 2.0, "op": "conv", "0.a.second": 3.0}
    weight = network().get_parameter("a.weight").detach().clone()
    compressed = compress(
        network(), design, [Scaling("first", calls), Scaling("second", calls)], EXAMPLE
    )
    assert [(kind, settings) for kind, settings, _ in calls] == [
        ("first", {"a": 2.0}),
        ("second", {"0.a": 3.0}),
    ]
    assert all(torch.equal(example, EXAMPLE) for _, _, example in calls)
    # The second works on what the first returned.
    assert torch.allclose(
        compressed.get_parameter("0.0.a.weight"), (weight * 2.0 + 1.0) * 3.0 + 1.0
    )


def test_a_compressor_without_choices_is_not_called() -> None:
    calls: list[tuple[str, Mapping[str, Hashable], Tensor]] = []
    compressed = compress(network(), {"op": "conv"}, [Scaling("first", calls)], EXAMPLE)
    assert calls == []
    assert isinstance(compressed.get_submodule("a"), nn.Linear)


def test_compression_copies_its_model() -> None:
    model, before = network(), network()
    compressed = compress(model, {"a.first": 2.0}, [Scaling("first")], EXAMPLE)
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), before.state_dict().values(), strict=True)
    )
    assert not {id(part) for part in model.parameters()} & {
        id(part) for part in compressed.parameters()
    }
