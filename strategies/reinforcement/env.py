"""The space as a Gymnasium environment, for strategies and libraries that learn a policy.

With this module imported, `gymnasium.make("nas/Design-v0", space=…)` makes a `DesignEnv`, and
`gymnasium.make("nas/Scored-v0", space=…, score=…)` a `ScoredEnv` of one;
"strategies.reinforcement.env:nas/Design-v0" imports it too.
"""

from collections.abc import Callable
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from numpy.typing import NDArray

from nas.space import Choices, Genotype, SearchSpace

Observation = NDArray[np.int64]
Action = int | np.integer[Any]
Step = tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]


class DesignEnv(gymnasium.Env[Observation, Action]):
    """One episode makes one genotype: each step decides the next active choice, and inactive ones
    are skipped.

    `space` is a search space, or no more than its choices.

    An action is an option's number. All choices share one action space, as large as the largest of
    them; an action beyond the options of the present choice stands for a uniformly random one of
    them, so that a uniform policy is uniform over the options of every choice.
    `info["action_mask"]` (int8) says which actions are options.

    An observation is [the index of the choice to decide, then for each choice 0 where nothing was
    decided, else the chosen option's number + 1]; at the end the index is the number of choices.
    Rewards are 0, and the last step's `info["genotype"]` is the result, canonical.
    """

    def __init__(self, space: SearchSpace | Choices) -> None:
        choices = space if isinstance(space, Choices) else space.choices
        self._choices = choices
        self._genes: list[int] = []
        self._actions = max(choices.arities)
        # One row for each choice, and one without options for the end.
        self._masks = (np.arange(self._actions) < np.array([*choices.arities, 0])[:, None]).astype(
            np.int8
        )
        self.action_space = gymnasium.spaces.Discrete(self._actions)
        self.observation_space = gymnasium.spaces.MultiDiscrete(
            [len(choices) + 1, *(arity + 1 for arity in choices.arities)]
        )
        self._observation = np.zeros(len(choices) + 1, np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Nothing decided; there are no `options`."""
        super().reset(seed=seed, options=options)
        self._genes = []
        self._observation = np.zeros(len(self._choices) + 1, np.int64)
        return self._observation.copy(), {"action_mask": self._mask()}

    def step(self, action: Action) -> Step:
        """Decides one choice.

        Raises:
            ResetNeeded: if all choices are decided.
            ValueError: if the action is outside the action space.
        """
        index = len(self._genes)
        if index == len(self._choices):
            raise gymnasium.error.ResetNeeded(
                "the genotype must not be complete, but all its choices are decided: call reset()"
            )
        if not 0 <= action < self._actions:
            raise ValueError(f"an action must be in 0 … {self._actions - 1}, but got {action}")
        arity = self._choices.arities[index]
        gene = int(action) if action < arity else int(self.np_random.integers(arity))
        self._genes.append(gene)
        while len(self._genes) < len(self._choices) and not self._choices.is_active(
            len(self._genes), self._genes
        ):
            self._genes.append(0)
        self._observation[0] = len(self._genes)
        self._observation[index + 1] = gene + 1
        info: dict[str, Any] = {"action_mask": self._mask()}
        terminated = len(self._genes) == len(self._choices)
        if terminated:
            info["genotype"] = tuple(self._genes)
        return self._observation.copy(), 0.0, terminated, False, info

    def _mask(self) -> NDArray[np.int8]:
        mask: NDArray[np.int8] = self._masks[len(self._genes)].copy()
        return mask


class ScoredEnv(gymnasium.Wrapper[Observation, Action, Observation, Action]):
    """A `DesignEnv` that pays `score(genotype)` as the reward of the last step, for any
    reinforcement-learning library.
    """

    def __init__(
        self, env: gymnasium.Env[Observation, Action], score: Callable[[Genotype], float]
    ) -> None:
        super().__init__(env)
        self._score = score

    def step(self, action: Action) -> Step:
        """As of the wrapped environment, with the reward."""
        observation, reward, terminated, truncated, info = super().step(action)
        if terminated:
            reward = self._score(info["genotype"])
        return observation, reward, terminated, truncated, info


def scored(space: SearchSpace | Choices, score: Callable[[Genotype], float]) -> ScoredEnv:
    """A `ScoredEnv` of a `DesignEnv`."""
    return ScoredEnv(DesignEnv(space), score)


# Here and not by an entry point of the installed package, which Gymnasium no longer reads.
gymnasium.register("nas/Design-v0", "strategies.reinforcement.env:DesignEnv")
gymnasium.register("nas/Scored-v0", "strategies.reinforcement.env:scored")
