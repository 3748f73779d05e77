"""REINFORCE: a recurrent controller that learns which decisions pay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np
import torch
from torch import Tensor

from nas.objective import Fitness
from nas.search import Proposal
from nas.seeds import seeded
from nas.space import Choices, Genotype
from strategies.advantage import Advantages
from strategies.controller import Controller
from strategies.env import DesignEnv
from strategies.novelty import Unseen


def policy_loss(taken: Tensor, entropies: Tensor, advantages: Tensor, entropy_weight: float) -> Tensor:
    """What gradient descent on the policy minimises: minus the mean over episodes of advantage times log-probability.

    `taken` [B, T] is the log-probability of each decision and `entropies` [B, T] the entropy of its options, both 0
    where an episode has no decision; `advantages` is [B].
    """
    return -(advantages * taken.sum(1)).mean() - entropy_weight * entropies.sum(1).mean()


class Reinforce:
    """Zoph & Le 2017: a `Controller` writes genotypes and climbs the expected first component of the fitness.

    Each `batch` results make one step of Adam on the policy gradient (Williams 1992) of their `Advantages`, computed by
    running the controller again over those episodes. With several proposals outstanding an episode may stem from a
    somewhat older policy, which is not corrected for. Where a genotype was proposed before, it is sampled again, at
    most 10 times, each time with a tenth more of the uniform policy mixed in: a broad policy hardly notices, and one
    that is sure of itself goes on to try the neighbours of what it believes in.

    Raises:
        ValueError: if an argument is outside its range.
    """

    _REDRAWS = 10

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        batch: int = 8,
        learning_rate: float = 0.01,
        entropy_weight: float = 0.1,
        decay: float = 0.7,
        hidden: int = 64,
    ) -> None:
        for name, size in (("batch", batch), ("hidden", hidden)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, but got {size}")
        if not 0 < learning_rate < math.inf:
            raise ValueError(f"learning_rate must be positive and finite, but got {learning_rate}")
        if not 0 <= entropy_weight < math.inf:
            raise ValueError(f"entropy_weight must be 0 or more and finite, but got {entropy_weight}")
        self._choices = choices
        self._batch = batch
        self._entropy_weight = entropy_weight
        self._advantages = Advantages(decay)
        self._env = DesignEnv(choices)
        self._unseen = Unseen(choices, redraws=self._REDRAWS)
        self._generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        with seeded(int(rng.integers(2**63))):
            self._controller = Controller(choices.arities, hidden)
        self._optimizer = torch.optim.Adam(self._controller.parameters(), lr=learning_rate)
        self._told: list[tuple[Genotype, float]] = []
        self._entropy = float(np.mean(np.log(choices.arities)))

    def ask(self) -> Proposal:
        """A genotype sampled from the policy."""
        redraws = count()
        return Proposal(self._unseen.draw(lambda: self._rollout(uniform=next(redraws) / self._REDRAWS)))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """The reward of an episode; the last one of a batch updates the policy."""
        self._told.append((proposal.genotype, fitness[0]))
        if len(self._told) == self._batch:
            self._update([genotype for genotype, _ in self._told], [reward for _, reward in self._told])
            self._told = []

    def report(self) -> Mapping[str, float]:
        """The mean "entropy" of a decision (in nats, over the last batch) and the "baseline" (0 before the first)."""
        return {"entropy": self._entropy, "baseline": self._advantages.baseline or 0.0}

    @torch.inference_mode()
    def _rollout(self, uniform: float) -> Genotype:
        observation, info = self._env.reset()
        token, state = Controller.START, self._controller.start()
        while True:
            choice = int(observation[0])
            probabilities, state = self._controller.step(token, choice, state)
            if uniform:
                options = torch.from_numpy(info["action_mask"])
                probabilities = torch.lerp(probabilities, options / options.sum(), uniform)
            option = int(torch.multinomial(probabilities, 1, generator=self._generator))
            token = self._controller.token(choice, option)
            observation, _, terminated, _, info = self._env.step(option)
            if terminated:
                genotype: Genotype = info["genotype"]
                return genotype

    def _update(self, genotypes: Sequence[Genotype], rewards: Sequence[float]) -> None:
        taken, entropies, decisions = self._replay(genotypes)
        loss = policy_loss(taken, entropies, torch.from_numpy(self._advantages(rewards)), self._entropy_weight)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._entropy = float(entropies.detach().sum()) / decisions

    def _replay(self, genotypes: Sequence[Genotype]) -> tuple[Tensor, Tensor, int]:
        """Log-probability and entropy [B, T] of each decision, 0 beyond an episode's last, and how many there are."""
        episodes = [self._choices.active(genotype) for genotype in genotypes]
        shape = len(episodes), max(map(len, episodes))
        choices, options, made = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.float32)
        for row, (active, genotype) in enumerate(zip(episodes, genotypes, strict=True)):
            choices[row, : len(active)] = active
            options[row, : len(active)] = [genotype[index] for index in active]
            made[row, : len(active)] = 1
        logs = self._controller(torch.from_numpy(choices), torch.from_numpy(options))
        taken = logs.gather(2, torch.from_numpy(options)[:, :, None])[:, :, 0] * torch.from_numpy(made)
        entropies = -(logs.exp() * logs).sum(2) * torch.from_numpy(made)
        return taken, entropies, int(made.sum())
