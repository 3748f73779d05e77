"""The policy of REINFORCE: a recurrent network that decides one choice after the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]


class Controller(nn.Module):
    """Zoph & Le 2017: an LSTM that reads the decision before and has one linear head a choice for
    the next.

    It sees only the decisions that are made, so an inactive choice takes no step. The heads start
    at zero: the first policy is uniform over the options of every choice.
    """

    START = 0

    def __init__(self, arities: tuple[int, ...], hidden: int) -> None:
        super().__init__()
        sizes = torch.tensor(arities)
        self.embedding = nn.Embedding(1 + sum(arities), hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        # All heads in one tensor, padded to the widest: a batch then scores decisions of different
        # choices at once.
        self.weight = nn.Parameter(torch.zeros(len(arities), max(arities), hidden))
        self.bias = nn.Parameter(torch.zeros(len(arities), max(arities)))
        self.first_token: Tensor
        self.closed: Tensor
        self.register_buffer("first_token", 1 + sizes.cumsum(0) - sizes)
        self.register_buffer("closed", torch.arange(max(arities)) >= sizes[:, None])

    def start(self, episodes: int) -> State:
        """The state before the first decision of each episode."""
        zeros = torch.zeros(episodes, self.lstm.hidden_size)
        return zeros, zeros

    def step(
        self, choices: Tensor, options: Tensor | None, decide: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """The probabilities [B, largest arity] of the options of the choices `decide` [B], and the
        next state.

        `choices` and `options` [B] are the decisions before; `options` is None where there were
        none yet.
        """
        tokens = (
            torch.full_like(decide, self.START)
            if options is None
            else self.first_token[choices] + options
        )
        # The cell of `self.lstm` called directly: for a single step that is half the time of
        # calling the layer.
        state = torch.lstm_cell(self.embedding(tokens), state, *self.lstm.all_weights[0])
        scores = torch.baddbmm(
            self.bias[decide, :, None], self.weight[decide], state[0][:, :, None]
        )[:, :, 0]
        return scores.masked_fill(self.closed[decide], -torch.inf).softmax(1), state

    def forward(self, choices: Tensor, options: Tensor) -> Tensor:
        """Log-probabilities [B, T, largest arity] of all options at every decision of B given
        episodes, each [B, T].
        """
        tokens = self.first_token[choices] + options
        tokens = torch.cat([torch.full_like(tokens[:, :1], self.START), tokens[:, :-1]], 1)
        hidden, _ = self.lstm(self.embedding(tokens))
        scores = torch.einsum("bth,btoh->bto", hidden, self.weight[choices]) + self.bias[choices]
        # Not -inf: an entropy multiplies the logarithm by the probability, and 0 times infinity is
        # no number.
        return scores.masked_fill(self.closed[choices], -1e9).log_softmax(2)
