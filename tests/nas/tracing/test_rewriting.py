import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.quantize import traced_network
from nas.tracing import rewriting, trace, traced_again, without_dead_code

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Functions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 3)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        x = functional.leaky_relu(self.conv(input), 0.1) * 2.0 + 1
        x = functional.hardtanh(x) - x
        return functional.softmax(self.head(x.mean((2, 3))), 1)


def said(traced: nn.Module) -> tuple[object, ...]:
    names = [name for name, _ in traced.named_modules()]
    return names, list(traced.state_dict()), traced.code, type(traced).__name__


def test_traced_again_is_what_a_second_trace_gives() -> None:
    traced = traced_network(Functions().eval(), IMAGES)
    again = traced_again(traced)
    assert said(again) != said(traced)  # nodes were named after functions
    assert said(again) == said(traced_network(traced))


def test_a_network_that_tracing_would_not_change_is_left() -> None:
    traced = traced_network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Softmax(1)).eval())
    assert traced_again(traced) is traced


def test_code_follows_what_is_changed_in_a_graph() -> None:
    traced = trace(nn.Sequential(nn.Flatten(), nn.Linear(192, 2), nn.Sigmoid()).eval())
    (last,) = (node for node in traced.graph.nodes if node.target == "2")
    with rewriting(traced):
        last.replace_all_uses_with(last.args[0])
        without_dead_code(traced)
    assert "2" not in dict(traced.named_modules())
    assert float(traced(IMAGES).detach().min()) < 0.0
