"""REINFORCE with a recurrent controller."""

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
from strategies.candidates.proposed import Proposed
from strategies.candidates.variation import mutate
from strategies.reinforcement.advantages import AdvantageEstimator
from strategies.reinforcement.controller import Controller
from strategies.reinforcement.env import DesignEnv
from strategies.reinforcement.losses import clipped_loss, policy_loss


class Reinforce:
    """REINFORCE (Zoph & Le 2017): a recurrent controller samples genotypes, and policy gradients
    (Williams 1992) maximize the expected first component of the fitness.

    Every `batch` results make one update by Adam, for which the episodes are replayed through the
    controller. With several proposals outstanding an episode may stem from an older policy, which
    is not corrected for. A genotype that was proposed before is replaced by a mutation of it, after
    five such repeats by two mutations, and so on: a converged policy explores its neighborhood.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        batch: The number of results per update, at least 1.
        learning_rate: The learning rate of Adam, above 0. The default is high, because a search has
            tens of updates, not thousands.
        entropy_weight: The weight of the entropy bonus (Williams & Peng 1991), 0 or more, against
            advantages of mean magnitude 1. Larger values keep the policy exploring for longer.
        decay: The share of the reward baseline and of its scale that an update keeps, 0 or more and
            below 1 (`AdvantageEstimator`).
        hidden: The width of the controller's embedding and LSTM, at least 1.
        clip: The clipping range of probability ratios in PPO's objective (Schulman et al. 2017),
            above 0, usually 0.2. A batch then makes four steps of Adam. None: a batch makes one
            step on the plain policy gradient.

    Raises:
        ValueError: if an argument is outside its range.
    """

    _REDRAWS = 20
    _REDRAWS_PER_MUTATION = 5
    _STEPS_WITH_CLIP = 4

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
        self._advantages = AdvantageEstimator(decay)
        self._envs = [DesignEnv(choices) for _ in range(batch)]
        self._samples: list[Genotype] = []
        self._proposed = Proposed(choices, redraws=self._REDRAWS)
        self._generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        with seeded(int(rng.integers(2**63))):
            self._controller = Controller(choices.arities, hidden)
        self._optimizer = torch.optim.Adam(self._controller.parameters(), lr=learning_rate)
        self._episodes: list[tuple[Genotype, float]] = []
        self._entropy = float(np.mean(np.log(choices.arities)))

    def ask(self) -> Proposal:
        """A sample of the policy, mutated if it was proposed before."""
        if not self._samples:
            self._samples = self._rollouts()
        sample, redraws = self._samples.pop(), count()
        return Proposal(
            self._proposed.draw_new(
                lambda: self._mutate(sample, math.ceil(next(redraws) / self._REDRAWS_PER_MUTATION))
            )
        )

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Records the reward of an episode; the last one of a batch updates the policy."""
        self._episodes.append((proposal.genotype, fitness[0]))
        if len(self._episodes) == self._batch:
            genotypes, rewards = zip(*self._episodes, strict=True)
            self._update(genotypes, rewards)
            self._episodes = []

    def report(self) -> Mapping[str, float]:
        """The mean "entropy" of a decision in the last batch, in nats, and the "baseline" of the
        rewards, 0 before the first update.
        """
        return {"entropy": self._entropy, "baseline": self._advantages.baseline or 0.0}

    def _mutate(self, genotype: Genotype, times: int) -> Genotype:
        for _ in range(times):
            genotype = mutate(self._choices, genotype, self._rng)
        return genotype

    @torch.inference_mode()
    def _rollouts(self) -> list[Genotype]:
        """A batch of samples of the present policy, which takes little longer than one sample."""
        genotypes: list[Genotype | None] = [None] * self._batch
        decide = torch.tensor([int(env.reset()[0][0]) for env in self._envs])
        choices, options, state = decide, None, self._controller.start(self._batch)
        # The argmax of p / Exp(1) is a draw from p, the method of torch.multinomial; here the
        # exponentials of the whole batch are drawn at once.
        shape = len(self._choices), self._batch, max(self._choices.arities)
        for exponentials in torch.empty(shape).exponential_(generator=self._generator):
            if None not in genotypes:
                break
            probabilities, state = self._controller.step(choices, options, decide, state)
            choices, options = decide, (probabilities / exponentials).argmax(1)
            next_choices = decide.tolist()
            for row, option in enumerate(options.tolist()):
                # A finished episode repeats its last decision without effect until all have ended.
                if genotypes[row] is None:
                    observation, _, terminated, _, info = self._envs[row].step(option)
                    if terminated:
                        genotypes[row] = info["genotype"]
                    else:
                        next_choices[row] = int(observation[0])
            decide = torch.tensor(next_choices)
        return [genotype for genotype in genotypes if genotype is not None]

    def _update(self, genotypes: Sequence[Genotype], rewards: Sequence[float]) -> None:
        advantages, old_log_probs = torch.from_numpy(self._advantages(rewards)), None
        for _ in range(1 if self._clip is None else self._STEPS_WITH_CLIP):
            log_probs, entropies, decisions = self._replay(genotypes)
            if old_log_probs is None or self._clip is None:
                old_log_probs = log_probs.detach()
                self._entropy = float(entropies.detach().sum()) / decisions
                loss = policy_loss(log_probs, entropies, advantages, self._entropy_weight)
            else:
                loss = clipped_loss(
                    log_probs,
                    old_log_probs,
                    entropies,
                    advantages,
                    self._entropy_weight,
                    self._clip,
                )
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
        # The remaining samples are of the policy before the update.
        self._samples = []

    def _replay(self, genotypes: Sequence[Genotype]) -> tuple[Tensor, Tensor, int]:
        """Log-probabilities and entropies of the decisions, [B, T] with 0 beyond the end of an
        episode, and the number of decisions.
        """
        episodes = [self._choices.active(genotype) for genotype in genotypes]
        shape = len(episodes), max(map(len, episodes))
        choices, options, mask = (
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.float32),
        )
        for row, (active, genotype) in enumerate(zip(episodes, genotypes, strict=True)):
            choices[row, : len(active)] = active
            options[row, : len(active)] = [genotype[index] for index in active]
            mask[row, : len(active)] = 1
        taken, decided = torch.from_numpy(options), torch.from_numpy(mask)
        log_probs = self._controller(torch.from_numpy(choices), taken)
        # In this order, by which autograd sums the gradients of both terms.
        taken_log_probs = log_probs.gather(2, taken[:, :, None])[:, :, 0] * decided
        entropies = -(log_probs.exp() * log_probs).sum(2) * decided
        return taken_log_probs, entropies, int(mask.sum())
