"""REINFORCE: a recurrent controller that learns which decisions pay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np
import torch
from torch import Tensor

from nas.objective import Fitness
from nas.seeds import seeded
from nas.space import Choices, Genotype
from nas.strategy import Proposal
from strategies.candidates.unseen import Unseen
from strategies.candidates.variation import mutated
from strategies.reinforcement.advantage import Advantages
from strategies.reinforcement.controller import Controller
from strategies.reinforcement.env import DesignEnv


def policy_loss(
    taken: Tensor, entropies: Tensor, advantages: Tensor, entropy_weight: float
) -> Tensor:
    """What gradient descent on the policy minimizes: minus the mean over episodes of advantage
    times log-probability.

    `taken` [B, T] is the log-probability of each decision and `entropies` [B, T] the entropy of its
    options, both 0 where an episode has no decision; `advantages` is [B].
    """
    return -(advantages * taken.sum(1)).mean() - entropy_weight * entropies.sum(1).mean()


def clipped_loss(
    taken: Tensor,
    before: Tensor,
    entropies: Tensor,
    advantages: Tensor,
    entropy_weight: float,
    clip: float,
) -> Tensor:
    """Schulman et al. 2017: a decision that became likelier by more than a share `clip`, or less
    likely, gains no more.

    `before` [B, T] is `taken` under the policy that the episodes are from. Where both are equal the
    gradient is that of `policy_loss`.
    """
    change = torch.expm1(taken - before)
    gains = torch.minimum(
        advantages[:, None] * change, advantages[:, None] * change.clamp(-clip, clip)
    )
    return -gains.sum(1).mean() - entropy_weight * entropies.sum(1).mean()


class Reinforce:
    """Zoph & Le 2017: a `Controller` writes genotypes and climbs the expected first component of
    the fitness.

    Each `batch` results make one step of Adam on the policy gradient (Williams 1992) of their
    `Advantages`, computed by running the controller again over those episodes. With several
    proposals outstanding an episode may stem from a somewhat older policy, which is not corrected
    for. Where a genotype was proposed before, a mutation of it is, or after five tries two
    mutations, and so on: so a policy that is sure of itself goes on to try the neighbors of what it
    believes in. With `clip`, such as 0.2, a batch makes four steps instead, which the clipped
    objective of PPO keeps close to the policy before them.

    Raises:
        ValueError: if an argument is outside its range.
    """

    _REDRAWS = 20
    _TRIES = 5
    _PASSES = 4

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        batch: int = 10,
        learning_rate: float = 0.02,
        entropy_weight: float = 0.1,
        decay: float = 0.7,
        hidden: int = 64,
        clip: float | None = None,
    ) -> None:
        for name, size in (("batch", batch), ("hidden", hidden)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, but got {size}")
        if not 0 < learning_rate < math.inf:
            raise ValueError(f"learning_rate must be positive and finite, but got {learning_rate}")
        if not 0 <= entropy_weight < math.inf:
            raise ValueError(
                f"entropy_weight must be 0 or more and finite, but got {entropy_weight}"
            )
        if clip is not None and not 0 < clip < math.inf:
            raise ValueError(f"clip must be positive and finite, or None, but got {clip}")
        self._choices = choices
        self._rng = rng
        self._clip = clip
        self._batch = batch
        self._entropy_weight = entropy_weight
        self._advantages = Advantages(decay)
        self._envs = [DesignEnv(choices) for _ in range(batch)]
        self._samples: list[Genotype] = []
        self._unseen = Unseen(choices, redraws=self._REDRAWS)
        self._generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        with seeded(int(rng.integers(2**63))):
            self._controller = Controller(choices.arities, hidden)
        self._optimizer = torch.optim.Adam(self._controller.parameters(), lr=learning_rate)
        self._told: list[tuple[Genotype, float]] = []
        self._entropy = float(np.mean(np.log(choices.arities)))

    def ask(self) -> Proposal:
        """A genotype sampled from the policy, or a mutation of it."""
        if not self._samples:
            self._samples = self._rollouts()
        sample, mutations = self._samples.pop(), count()
        return Proposal(
            self._unseen.draw(
                lambda: self._mutated(sample, math.ceil(next(mutations) / self._TRIES))
            )
        )

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """The reward of an episode; the last one of a batch updates the policy."""
        self._told.append((proposal.genotype, fitness[0]))
        if len(self._told) == self._batch:
            self._update(
                [genotype for genotype, _ in self._told], [reward for _, reward in self._told]
            )
            self._told = []

    def report(self) -> Mapping[str, float]:
        """The mean "entropy" of a decision (in nats, over the last batch) and the "baseline" (0
        before the first).
        """
        return {"entropy": self._entropy, "baseline": self._advantages.baseline or 0.0}

    def _mutated(self, genotype: Genotype, times: int) -> Genotype:
        for _ in range(times):
            genotype = mutated(self._choices, genotype, self._rng)
        return genotype

    @torch.inference_mode()
    def _rollouts(self) -> list[Genotype]:
        """A whole batch of genotypes of the present policy, which takes little longer than one."""
        genotypes: list[Genotype | None] = [None] * self._batch
        decide = torch.tensor([int(env.reset()[0][0]) for env in self._envs])
        choices, options, state = decide, None, self._controller.start(self._batch)
        # The largest of p / Exp(1) is a draw from p, as torch.multinomial makes it, but here all
        # are drawn at once.
        shape = len(self._choices), self._batch, max(self._choices.arities)
        for draws in torch.empty(shape).exponential_(generator=self._generator):
            if None not in genotypes:
                break
            probabilities, state = self._controller.step(choices, options, decide, state)
            choices, options = decide, (probabilities / draws).argmax(1)
            following = decide.tolist()
            for row, option in enumerate(options.tolist()):
                # A finished episode decides its last choice over and over, unheard, until the
                # others are finished.
                if genotypes[row] is None:
                    observation, _, terminated, _, info = self._envs[row].step(option)
                    if terminated:
                        genotypes[row] = info["genotype"]
                    else:
                        following[row] = int(observation[0])
            decide = torch.tensor(following)
        return [genotype for genotype in genotypes if genotype is not None]

    def _update(self, genotypes: Sequence[Genotype], rewards: Sequence[float]) -> None:
        advantages, before = torch.from_numpy(self._advantages(rewards)), None
        for _ in range(1 if self._clip is None else self._PASSES):
            taken, entropies, decisions = self._replay(genotypes)
            if before is None or self._clip is None:
                before = taken.detach()
                self._entropy = float(entropies.detach().sum()) / decisions
                loss = policy_loss(taken, entropies, advantages, self._entropy_weight)
            else:
                loss = clipped_loss(
                    taken, before, entropies, advantages, self._entropy_weight, self._clip
                )
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
        self._samples = []

    def _replay(self, genotypes: Sequence[Genotype]) -> tuple[Tensor, Tensor, int]:
        """Log-probability and entropy [B, T] of each decision, 0 beyond an episode's last, and how
        many there are.
        """
        episodes = [self._choices.active(genotype) for genotype in genotypes]
        shape = len(episodes), max(map(len, episodes))
        choices, options, made = (
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.float32),
        )
        for row, (active, genotype) in enumerate(zip(episodes, genotypes, strict=True)):
            choices[row, : len(active)] = active
            options[row, : len(active)] = [genotype[index] for index in active]
            made[row, : len(active)] = 1
        logs = self._controller(torch.from_numpy(choices), torch.from_numpy(options))
        taken = logs.gather(2, torch.from_numpy(options)[:, :, None])[:, :, 0] * torch.from_numpy(
            made
        )
        entropies = -(logs.exp() * logs).sum(2) * torch.from_numpy(made)
        return taken, entropies, int(made.sum())
