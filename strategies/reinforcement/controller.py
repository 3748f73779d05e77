"""The policy of REINFORCE: a recurrent network that takes one decision after the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]


class Controller(nn.Module):
    """An LSTM with one linear head per choice, whose input is the previous decision (Zoph & Le
    2017).

    An episode consists of the active choices only. The heads are initialized to 0, so that the
    initial policy is uniform over the options of every choice.

    Args:
        arities: The number of options of each choice.
        hidden: The width of the embedding and of the LSTM.
    """

    START = 0
    """The token before the first decision."""

    def __init__(self, arities: tuple[int, ...], hidden: int) -> None:
        super().__init__()
        sizes = torch.tensor(arities)
        self.embedding = nn.Embedding(1 + sum(arities), hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        # All heads in one tensor, padded to the largest arity, so that one product computes the
        # logits of different choices.
        self.weight = nn.Parameter(torch.zeros(len(arities), max(arities), hidden))
        self.bias = nn.Parameter(torch.zeros(len(arities), max(arities)))
        self.first_token: Tensor
        self.padding: Tensor
        self.register_buffer("first_token", 1 + sizes.cumsum(0) - sizes)
        self.register_buffer("padding", torch.arange(max(arities)) >= sizes[:, None])

    def start(self, episodes: int) -> State:
        """The initial LSTM state of `episodes` episodes."""
        zeros = torch.zeros(episodes, self.lstm.hidden_size)
        return zeros, zeros

    def step(
        self, choices: Tensor, options: Tensor | None, decide: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """The probabilities [B, largest arity] of the options of the choices `decide` [B], and the
        next state.

        `choices` and `options` [B] are the previous decisions; `options` is None before the first.
        """
        tokens = (
            torch.full_like(decide, self.START)
            if options is None
            else self.first_token[choices] + options
        )
        # A single step through the cell takes half the time of one through `self.lstm`.
        state = torch.lstm_cell(self.embedding(tokens), state, *self.lstm.all_weights[0])
        logits = torch.baddbmm(
            self.bias[decide, :, None], self.weight[decide], state[0][:, :, None]
        )[:, :, 0]
        return logits.masked_fill(self.padding[decide], -torch.inf).softmax(1), state

    def forward(self, choices: Tensor, options: Tensor) -> Tensor:
        """Log-probabilities [B, T, largest arity] of all options at each decision of B complete
        episodes, whose choices and options are [B, T].
        """
        tokens = self.first_token[choices] + options
        tokens = torch.cat([torch.full_like(tokens[:, :1], self.START), tokens[:, :-1]], 1)
        hidden, _ = self.lstm(self.embedding(tokens))
        logits = torch.einsum("bth,btoh->bto", hidden, self.weight[choices]) + self.bias[choices]
        # Finite, because the entropy multiplies it by a probability of 0.
        return logits.masked_fill(self.padding[choices], -1e9).log_softmax(2)
