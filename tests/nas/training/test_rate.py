import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization, quantize
from nas.data import Task
from nas.evaluation.evaluator import Evaluator
from nas.objective import Budget
from nas.quantize.quantized_layers import QuantizedLayer
from nas.seeds import seeded
from nas.space import Choice, Choices, Design
from nas.training.distil import Distillation
from nas.training.fit import attached, cross_entropy
from nas.training.hints import Hint
from nas.training.rate import bits_per_weight, with_rate_penalty
from nas.training.recipe import Recipe

LOGITS, LABELS, INDEX = torch.eye(3), torch.arange(3), torch.arange(3)


def network() -> nn.Sequential:
    with seeded(0):
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3))


def quantized(weights: list[list[float]], bits: int, method: str = "max") -> QuantizedLayer:
    layer = nn.Linear(len(weights[0]), len(weights))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights))
    with seeded(0):
        found = quantize(
            nn.Sequential(layer),
            bits,
            torch.rand(8, len(weights[0])),
            Quantization(weights=method),  # type: ignore[arg-type]
        )
    return next(module for module in found.modules() if isinstance(module, QuantizedLayer))


def entropy(levels: Tensor) -> float:
    _, counts = levels.unique(return_counts=True)  # type: ignore[no-untyped-call]
    shares = counts / counts.sum()
    return float(-(shares * shares.log2()).sum())


def test_weights_on_levels_take_the_entropy_of_their_levels() -> None:
    layer = quantized([[3.0, 0, 0, -1, 1, 0, 0, -3], [6.0, 0, 0, -2, 2, 4, 0, -6]], 3, "lsq")
    levels, step = layer.levels()
    with torch.no_grad():
        layer.weight.copy_(levels * step[:, None])
    assert levels.unique().numel() > 3  # type: ignore[no-untyped-call]
    assert float(bits_per_weight([layer]).detach()) == pytest.approx(entropy(levels), abs=1e-4)


@pytest.mark.parametrize("method", ["max", "affine", "lsq"])
def test_the_rate_is_near_the_entropy_of_the_levels(method: str) -> None:
    rows = torch.randn(8, 300, generator=torch.Generator().manual_seed(0))
    layer = quantized(rows.tolist(), 4, method)
    found, wanted = float(bits_per_weight([layer]).detach()), entropy(layer.levels()[0])
    assert found == pytest.approx(wanted, abs=0.15)


def test_the_mean_is_one_over_weights_not_layers() -> None:
    equal, halves = quantized([[3.0] * 8], 3), quantized([[3.0, 0]], 3)
    assert float(bits_per_weight([halves]).detach()) == pytest.approx(1.0)
    assert float(bits_per_weight([equal, halves]).detach()) == pytest.approx(0.2)


def test_weights_are_drawn_to_the_more_frequent_level() -> None:
    # Of levels 0, 1 and 3 most are 0; the last is between 0 and 1.
    layer = quantized([[3.0, 0, 0, 0, 0, 1, 0.4]], 3)
    before = bits_per_weight([layer])
    before.backward()  # type: ignore[no-untyped-call]
    gradient = layer.weight.grad
    assert gradient is not None
    assert gradient[0, 6] > 0
    with torch.no_grad():
        layer.weight[0, 6] -= 0.3
    assert bits_per_weight([layer]) < before.detach()
    # A step of 0.01 changes what the gradient says.
    with torch.no_grad():
        layer.weight[0, 6] += 0.31
    slope = float((bits_per_weight([layer]) - before.detach()).detach()) / 0.01
    assert slope == pytest.approx(float(gradient[0, 6]), rel=0.05)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_layers_of_one_value_have_a_finite_gradient(weight: float) -> None:
    layer = quantized([[weight] * 6], 4)
    found = bits_per_weight([layer])
    found.backward()  # type: ignore[no-untyped-call]
    assert float(found.detach()) == 0.0
    assert layer.weight.grad is not None
    assert bool(layer.weight.grad.isfinite().all())


def test_what_has_no_rate_keeps_its_loss() -> None:
    images = torch.rand(8, 1, 4, 4)
    assert with_rate_penalty(cross_entropy, quantize(network(), 3, images), 0.0) is cross_entropy
    for plain in (network(), quantize(network(), 1, images)):
        assert with_rate_penalty(cross_entropy, plain, 0.1) is cross_entropy


def test_the_penalty_is_added_to_the_loss() -> None:
    model = quantize(network(), 3, torch.rand(8, 1, 4, 4))
    layers = [module for module in model.modules() if isinstance(module, QuantizedLayer)]
    penalized = with_rate_penalty(cross_entropy, model, 0.5)(LOGITS, LABELS, INDEX)
    plain = cross_entropy(LOGITS, LABELS, INDEX)
    assert len(layers) == 2
    assert float((penalized - plain).detach()) == pytest.approx(
        0.5 * float(bits_per_weight(layers).detach()), rel=1e-4
    )


@pytest.mark.parametrize("penalty", [-1e-9, float("nan"), float("inf")])
def test_negative_and_infinite_penalties_are_refused(penalty: float) -> None:
    with pytest.raises(ValueError, match="penalty on rate must be finite and not negative"):
        Recipe(rate_penalty=penalty)


def test_a_recipe_without_it_is_described_as_before() -> None:
    assert "rate_penalty" not in Recipe().describe()
    assert Recipe(rate_penalty=0.1).describe() == {**Recipe().describe(), "rate_penalty": 0.1}
    assert Recipe().describe()["gain_penalty"] == 0.0


class Space:
    choices = Choices([Choice("1", "bits", (3,)), Choice("3", "bits", (3,))])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        return network()


def test_a_candidate_is_trained_with_the_penalty_once_it_is_quantized(tiny_task: Task) -> None:
    def trained(before: int, after: int, penalty: float) -> tuple[float, float]:
        """The bits a weight, and the loss of the last epoch."""
        recipe = Recipe(
            epochs=before,
            finetune_epochs=after,
            batch_size=10,
            lr=0.01,
            finetune_lr=0.01,
            rate_penalty=penalty,
        )
        evaluator = Evaluator(
            space=Space(),
            compressors=(Quantization(),),
            task=tiny_task,
            recipe=recipe,
            budget=Budget(),
            device=None,
            loss=cross_entropy,
            seed=0,
        )
        design = Space.choices.decode((0, 0))
        model, history = evaluator.training(design, (0, 0)).both_phases(network(), None)
        layers = [module for module in model.modules() if isinstance(module, QuantizedLayer)]
        return float(bits_per_weight(layers).detach()), history[-1].loss

    assert trained(2, 0, 1.0) == trained(2, 0, 0.0)
    none, some, much = (trained(0, 6, penalty)[0] for penalty in (0.0, 0.3, 3.0))
    assert much < some < none


def test_a_distilling_loss_still_reads_the_network() -> None:
    images = torch.rand(6, 1, 4, 4)
    student = quantize(network(), 3, images)
    hints = [Hint("1", "1")]
    inside = Distillation(network().eval(), images, 0.5, 2.0, hints)
    loss = with_rate_penalty(inside, student, 0.1)
    with attached(loss, student, images) as extra:
        assert len(list(extra)) > 0
        labels, index = torch.tensor([0, 1]), torch.tensor([2, 4])
        said = student(images[index])
        assert loss(said, labels, index).item() > inside(said, labels, index).item()
