"""The normal form of a traced network, and what has none."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.tracing import UnsupportedError, outputs, trace

INPUTS = torch.randn(6, 3, 5, 5, generator=torch.Generator().manual_seed(0))


class Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.pool, self.flat = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.head, self.aux = nn.Linear(4, 2), nn.Linear(4, 2)

    def features(self, x: Tensor) -> Tensor:
        flat: Tensor = self.flat(self.pool(self.norm(self.conv(x))))
        return flat

    def forward(self, x: Tensor) -> Any:
        return self.head(self.features(x))


class AuxiliaryHead(Base):
    def forward(self, x: Tensor) -> Any:
        features = self.features(x)
        logits = self.head(features)
        self.aux(features)
        return logits


class EarlyExit(Base):
    def forward(self, x: Tensor) -> Any:
        early = self.aux(self.flat(self.pool(self.conv(x))))
        self.head(self.features(x))
        return early


@pytest.mark.parametrize(("kind", "dropped"), [(AuxiliaryHead, "aux"), (EarlyExit, "head")])
def test_the_output_is_what_the_network_returns(kind: type[Base], dropped: str) -> None:
    model = kind()
    traced = trace(model, INPUTS)
    torch.testing.assert_close(outputs(traced, INPUTS), outputs(model, INPUTS))
    assert dropped not in dict(traced.named_modules())
    (returned,) = list(traced.graph.nodes)[-1].args
    assert returned is list(traced.graph.nodes)[-2]


class Default(Base):
    def forward(self, x: Tensor, temperature: float = 2.0, mask: Tensor | None = None) -> Any:
        y = self.head(self.features(x)) * temperature
        return y if mask is None else y * mask


class KeywordOnly(Base):
    def forward(self, *, x: Tensor, double: bool = False) -> Any:  # type: ignore[override]
        y = self.head(self.features(x))
        return y + y if double else y


class DefaultBefore(Base):
    def forward(self, x: Tensor, *others: Tensor, **more: Tensor) -> Any:
        assert not others
        assert not more
        return self.head(self.features(x))


@pytest.mark.parametrize("kind", [Default, DefaultBefore])
def test_arguments_have_their_defaults(kind: type[Base]) -> None:
    model = kind()
    traced = trace(model, INPUTS)
    torch.testing.assert_close(outputs(traced, INPUTS), outputs(model, INPUTS))
    assert [node.target for node in traced.graph.nodes if node.op == "placeholder"] == ["x"]


class Two(Base):
    def forward(self, x: Tensor, mask: Tensor) -> Any:  # type: ignore[override]
        return self.head(self.features(x)) * mask


class Keywords(Base):
    def forward(self, x: Tensor) -> Any:
        y = self.norm(input=self.conv(input=x))
        y = torch.cat(tensors=[y, nn.functional.relu(input=y)], dim=1)
        return torch.flatten(input=self.pool(input=y), start_dim=1)


def test_tensors_given_by_name_are_put_in_their_places() -> None:
    model = Keywords()
    traced = trace(model, INPUTS)
    torch.testing.assert_close(outputs(traced, INPUTS), outputs(model, INPUTS))
    calls = [node for node in traced.graph.nodes if node.op.startswith("call")]
    assert len(calls) == 6
    assert all(node.args for node in calls)
    assert calls[-1].kwargs == {"start_dim": 1}


class Lengths(Base):
    def forward(self, x: Tensor) -> Any:
        first, second = torch.chunk(self.features(x), 2, 1)
        halves = [first, second]
        assert len(halves) == len(x.chunk(2, 1)) == 2
        return self.head(torch.cat(halves, 1).view(len(x), -1))


def test_the_length_of_a_tensor_is_its_first_size() -> None:
    model = Lengths()
    traced = trace(model, INPUTS)
    torch.testing.assert_close(outputs(traced, INPUTS[:3]), outputs(model, INPUTS[:3]))
    assert "len" not in globals()


class DropPath(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rand(len(x), 1, 1, 1).round() if self.training else x


def test_a_network_is_traced_as_it_is_evaluated() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), DropPath(), nn.BatchNorm2d(4)).train()
    model[2].eval()  # frozen
    traced = trace(model, INPUTS)
    assert [str(node.target) for node in traced.graph.nodes] == ["input", "0", "2", "output"]
    assert [module.training for module in model] == [True, True, False]


class Pair(Base):
    def forward(self, x: Tensor) -> Any:
        features = self.features(x)
        return self.head(features), features


class Named(Base):
    def forward(self, x: Tensor) -> Any:
        return {"logits": self.head(self.features(x))}


class Same(Base):
    def forward(self, x: Tensor) -> Any:
        return x


class Branch(Base):
    def forward(self, x: Tensor) -> Any:
        return self.head(self.features(x)) if x.sum() > 0 else self.aux(self.features(x))


class Assigns(Base):
    def forward(self, x: Tensor) -> Any:
        y = self.conv(x)
        y[:, 0] = 0.0
        return y


def without_statistics() -> nn.Module:
    model = Base()
    model.norm = nn.BatchNorm2d(4, track_running_stats=False)
    return model


REFUSED = [
    (Pair, r"one tensor, the logits, but returns a tuple; wrap it"),
    (Named, r"returns a dict"),
    (Same, r"it returns its input"),
    (Branch, r"without branches on values"),
    (Assigns, r"without branches on values, but.*assignment"),
    (Two, r"take one tensor, but forward takes \['x', 'mask'\]"),
    (without_statistics, r"'norm' has track_running_stats=False"),
    (lambda: Base().half(), r"in float32, but 'conv.weight' is in float16; call float\(\)"),
    (lambda: Base().double(), r"in float32, but 'conv.weight' is in float64"),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_refused_is_what_has_no_normal_form(make: Any, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        trace(make())


class Noisy(Base):
    """A network that no check of its graph would refuse, and that says something else each time."""

    def forward(self, x: Tensor) -> Any:
        return self.head(nn.functional.dropout(self.features(x), 0.5, True))


def test_a_trace_that_says_something_else_is_refused_with_the_layer() -> None:
    with pytest.raises(UnsupportedError, match=r"when it is traced by torch.fx.*behind 'head'"):
        trace(Noisy(), INPUTS)


def test_a_network_may_take_its_input_by_name_only() -> None:
    model = KeywordOnly()
    traced = trace(model)
    with torch.no_grad():
        torch.testing.assert_close(traced.eval()(INPUTS), model.eval()(x=INPUTS))
