"""The space as a Gymnasium environment, for any library that learns a policy.

Importing this module registers two environments: `gymnasium.make("nas/Design-v0", space=…)` makes a
`DesignEnv`, `gymnasium.make("nas/Scored-v0", space=…, score=…)` a `ScoredEnv` around one. The id
"strategies.reinforcement.env:nas/Design-v0" imports the module first.
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
    """An environment whose episodes build one genotype each: a step decides the next active choice.

    An action is the index of an option. All choices share one action space, as large as the largest
    arity. An action beyond the options of the present choice, or after which no design keeps the
    constraints, is replaced by a uniformly random one of the others, so that a uniform policy is
    uniform over the options of every choice. `info["action_mask"]`, int8, is 1 for the options that
    the present choice can have.

    An observation is the index of the choice to decide, followed for each choice by 0 while it is
    undecided or inactive, else by the index of its option plus 1. At the end the index is the
    number of choices. Rewards are 0; `info["genotype"]` of the last step is the canonical genotype.

    Args:
        space: A search space, or its choices.
    """

    def __init__(self, space: SearchSpace | Choices) -> None:
        choices = space if isinstance(space, Choices) else space.choices
        self._choices = choices
        self._genes: list[int] = []
        self._actions = max(choices.arities)
        self.action_space = gymnasium.spaces.Discrete(self._actions)
        self.observation_space = gymnasium.spaces.MultiDiscrete(
            [len(choices) + 1, *(arity + 1 for arity in choices.arities)]
        )
        self._observation = np.zeros(len(choices) + 1, np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode; `options` are ignored."""
        super().reset(seed=seed, options=options)
        self._genes = []
        self._observation = np.zeros(len(self._choices) + 1, np.int64)
        return self._observation.copy(), {"action_mask": self._mask()}

    def step(self, action: Action) -> Step:
        """Decides one choice.

        Raises:
            ResetNeeded: if the episode has ended.
            ValueError: if the action is outside the action space.
        """
        index = len(self._genes)
        if index == len(self._choices):
            raise gymnasium.error.ResetNeeded(
                "step() must not follow the end of an episode, but all choices are decided: call reset()"
            )
        if not 0 <= action < self._actions:
            raise ValueError(f"an action must be in 0 … {self._actions - 1}, but got {action}")
        allowed = self._choices.allowed(index, self._genes)
        gene = int(action)
        if gene not in allowed:
            gene = allowed[int(self.np_random.integers(len(allowed)))]
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
        mask = np.zeros(self._actions, np.int8)
        if (index := len(self._genes)) < len(self._choices):
            mask[[*self._choices.allowed(index, self._genes)]] = 1
        return mask


class ScoredEnv(gymnasium.Wrapper[Observation, Action, Observation, Action]):
    """A wrapper whose last reward of an episode is the score of its genotype.

    Args:
        env: A `DesignEnv`, possibly wrapped.
        score: The reward of a canonical genotype.
    """

    def __init__(
        self, env: gymnasium.Env[Observation, Action], score: Callable[[Genotype], float]
    ) -> None:
        super().__init__(env)
        self._score = score

    def step(self, action: Action) -> Step:
        """The step of the wrapped environment, with the score as its last reward."""
        observation, reward, terminated, truncated, info = super().step(action)
        if terminated:
            reward = self._score(info["genotype"])
        return observation, reward, terminated, truncated, info


def make_scored(space: SearchSpace | Choices, score: Callable[[Genotype], float]) -> ScoredEnv:
    """A `ScoredEnv` around a `DesignEnv`, the entry point of "nas/Scored-v0"."""
    return ScoredEnv(DesignEnv(space), score)


# On import, because Gymnasium no longer reads the entry points of installed packages.
gymnasium.register("nas/Design-v0", "strategies.reinforcement.env:DesignEnv")
gymnasium.register("nas/Scored-v0", "strategies.reinforcement.env:make_scored")
