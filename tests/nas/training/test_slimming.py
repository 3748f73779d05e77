import pytest
import torch
from torch import Tensor, nn

from nas.data import Task
from nas.evaluation.evaluator import Evaluator
from nas.objective import Budget
from nas.seeds import seeded
from nas.space import Choice, Choices, Design
from nas.training.distil import Distillation
from nas.training.fit import attached, cross_entropy
from nas.training.hints import Hint
from nas.training.recipe import Recipe
from nas.training.slimming import with_gain_penalty

LOGITS, LABELS, INDEX = torch.eye(3), torch.arange(3), torch.arange(3)


def network() -> nn.Sequential:
    with seeded(0):
        return nn.Sequential(
            nn.Flatten(), nn.Linear(16, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)
        )


def test_the_penalty_is_the_sum_of_the_magnitudes_of_all_gains() -> None:
    model = nn.Sequential(
        nn.BatchNorm1d(3),
        nn.Sequential(nn.BatchNorm2d(2)),
        nn.BatchNorm1d(2, affine=False),
        nn.Linear(2, 2),
    )
    with torch.no_grad():
        model.get_parameter("0.weight").copy_(torch.tensor([2.0, -1.0, 0.0]))
        model.get_parameter("1.0.weight").copy_(torch.tensor([-0.5, 0.25]))
    plain = cross_entropy(LOGITS, LABELS, INDEX)
    penalized = with_gain_penalty(cross_entropy, model, 0.1)(LOGITS, LABELS, INDEX)
    assert float((penalized - plain).detach()) == pytest.approx(0.1 * 3.75)
    penalized.backward()  # type: ignore[no-untyped-call]
    gradient = model.get_parameter("0.weight").grad
    assert gradient is not None
    assert gradient.tolist() == pytest.approx([0.1, -0.1, 0.0])


def test_without_a_penalty_the_loss_is_returned_itself() -> None:
    assert with_gain_penalty(cross_entropy, network(), 0.0) is cross_entropy
    assert with_gain_penalty(cross_entropy, nn.Linear(2, 2), 0.1) is cross_entropy


@pytest.mark.parametrize("penalty", [-1e-9, float("nan"), float("inf")])
def test_negative_and_infinite_penalties_are_refused(penalty: float) -> None:
    with pytest.raises(
        ValueError, match="penalty on gains must be finite and not negative, but got"
    ):
        Recipe(gain_penalty=penalty)


class Space:
    choices = Choices([Choice("1", "width", (6,))])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        return network()


def test_a_candidate_is_trained_with_the_penalty_only_before_compression(
    tiny_task: Task,
) -> None:
    def trained(before: int, after: int, penalty: float) -> tuple[float, float]:
        """The mean gain, and the loss of the last epoch."""
        recipe = Recipe(
            epochs=before,
            finetune_epochs=after,
            batch_size=10,
            lr=0.02,
            finetune_lr=0.02,
            weight_decay=0.0,
            gain_penalty=penalty,
        )
        evaluator = Evaluator(
            space=Space(),
            compressors=(),
            task=tiny_task,
            recipe=recipe,
            budget=Budget({}),
            device=None,
            loss=cross_entropy,
            seed=0,
        )
        model, history = evaluator.training(Design({}), (0,)).both_phases(network(), None)
        return float(model.get_parameter("2.weight").detach().abs().mean()), history[-1].loss

    assert trained(8, 0, 0.2)[0] < 0.5 * trained(8, 0, 0.0)[0]
    assert trained(0, 8, 0.2) == trained(0, 8, 0.0)


def test_a_penalized_loss_is_attached_like_the_loss_inside_it() -> None:
    student, images = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), torch.rand(6, 4)
    inside = Distillation(nn.Sequential(nn.Linear(4, 3)), images, 0.5, 2.0, [Hint("0", "0")])
    loss = with_gain_penalty(inside, student, 0.1)
    with attached(loss, student, images) as extra:
        assert [parameter.shape for parameter in extra] == [(3, 3), (3,)]
        labels, index = torch.tensor([0, 1]), torch.tensor([2, 4])
        said = student(images[index])
        assert loss(said, labels, index).item() == pytest.approx(
            inside(said, labels, index).item() + 0.3
        )
