import math

import pytest
import torch
from torch import Tensor

from nas.seeds import seeded
from strategies.reinforcement.controller import Controller

ARITIES = (3, 2, 5)


@pytest.fixture
def controller() -> Controller:
    with seeded(0):
        controller = Controller(ARITIES, hidden=16)
        torch.nn.init.normal_(controller.weight)
        torch.nn.init.normal_(controller.bias)
    return controller


def stepped(controller: Controller, choices: list[list[int]], options: list[list[int]]) -> Tensor:
    """The probabilities [B, T, largest arity] along given episodes."""
    made, chosen = torch.tensor(choices), torch.tensor(options)
    state, rows = controller.start(len(choices)), []
    for step in range(made.shape[1]):
        before = chosen[:, step - 1] if step else None
        probabilities, state = controller.step(made[:, step - 1], before, made[:, step], state)
        rows.append(probabilities)
    return torch.stack(rows, 1)


@pytest.mark.parametrize(
    ("choices", "options"), [([0, 1, 2], [2, 0, 4]), ([0, 2], [1, 3]), ([1], [1])]
)
def test_a_batch_of_episodes_has_the_probabilities_of_single_steps(
    controller: Controller, choices: list[int], options: list[int]
) -> None:
    at_once = controller(torch.tensor([choices]), torch.tensor([options])).exp()
    torch.testing.assert_close(at_once, stepped(controller, [choices], [options]))


def test_episodes_of_a_batch_are_independent(controller: Controller) -> None:
    choices, options = [[0, 1, 2], [0, 2, 1]], [[2, 0, 4], [1, 3, 1]]
    alone = [
        stepped(controller, [row], [decided]) for row, decided in zip(choices, options, strict=True)
    ]
    torch.testing.assert_close(stepped(controller, choices, options), torch.cat(alone))


def test_only_options_have_probability(controller: Controller) -> None:
    probabilities = stepped(controller, [[0, 1, 2]], [[0, 0, 0]])[0]
    torch.testing.assert_close(probabilities.sum(1), torch.ones(3))
    assert [int((row > 0).sum()) for row in probabilities] == [3, 2, 5]


def test_it_starts_uniform() -> None:
    with seeded(0):
        probabilities = stepped(Controller(ARITIES, hidden=16), [[0, 1, 2]], [[2, 1, 0]])[0]
    for row, arity in zip(probabilities, ARITIES, strict=True):
        torch.testing.assert_close(row[:arity], torch.full((arity,), 1 / arity))


def test_a_decision_depends_on_the_previous_ones(controller: Controller) -> None:
    one, other = stepped(controller, [[0, 1, 2]] * 2, [[0, 0, 0], [1, 0, 0]])
    assert torch.equal(one[0], other[0])
    assert not torch.allclose(one[1], other[1])
    assert not torch.allclose(one[2], other[2])


def test_every_decision_has_its_own_token(controller: Controller) -> None:
    tokens = [
        int(controller.first_token[choice]) + option
        for choice, arity in enumerate(ARITIES)
        for option in range(arity)
    ]
    assert tokens == list(range(1, 11))
    assert controller.embedding.num_embeddings == math.fsum(ARITIES) + 1
