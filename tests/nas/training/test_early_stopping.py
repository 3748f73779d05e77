import pytest
import torch
from torch import Tensor, nn

from nas.data import Split, Task
from nas.objective import Epoch
from nas.training.early_stopping import EarlyStopping, GivingUp
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe


def test_the_weights_of_the_best_score_come_back() -> None:
    model, progress = nn.Linear(1, 1, bias=False), list[float]()
    stopping = EarlyStopping(model, 2)
    over = list[bool]()
    for score in (0.5, 0.7, 0.7, 0.6):
        model.weight.data.fill_(score)
        stopping.see(score)
        over.append(stopping.is_over)
        if score == 0.7:
            model.weight.data.add_(0.1)  # further epochs
    assert over == [False, False, False, True]
    stopping.finish(progress.append)
    assert model.weight.item() == pytest.approx(0.7)
    assert progress == [1.0]


def test_a_patience_of_0_does_nothing() -> None:
    model, progress = nn.Linear(1, 1, bias=False), list[float]()
    stopping = EarlyStopping(model, 0)
    for score in (0.9, 0.1, 0.1):
        model.weight.data.fill_(score)
        stopping.see(score)
    stopping.finish(progress.append)
    assert not stopping.is_over
    assert model.weight.item() == pytest.approx(0.1)
    assert progress == []


def test_a_training_ends_by_itself_and_not_by_its_stop() -> None:
    part = Split(torch.randn(40, 2), torch.arange(40) % 2)  # nothing to learn
    task = Task(name="chance", train=part, validation=part, test=part, classes=2)

    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = nn.Parameter(torch.tensor([1.0, 0.0]))

        def forward(self, x: Tensor) -> Tensor:
            return self.logits.expand(len(x), 2)

    def trained(patience: int) -> tuple[int, bool]:
        stop = GivingUp(lambda _: False)
        history = fit(
            Constant(),
            task,
            Recipe(early_stopping=patience),
            epochs=6,
            lr=1e-6,
            loss=cross_entropy,
            generator=torch.Generator().manual_seed(0),
            stop=stop,
        )
        return len(history), stop.gave_up

    assert trained(0) == (6, False)
    assert trained(2) == (3, False)


def test_giving_up_is_remembered() -> None:
    stop = GivingUp(lambda curve: len(curve) > 1)
    assert (stop([Epoch(1.0, 0.5)]), stop.gave_up) == (False, False)
    assert (stop([Epoch(1.0, 0.5)] * 2), stop.gave_up) == (True, True)


def test_patience_below_0_is_refused() -> None:
    with pytest.raises(ValueError, match="early_stopping must be 0 or more validations"):
        Recipe(early_stopping=-1)
