from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FlattenObservation

from nas.space import Choice, Choices, Genotype
from search_spaces.mlp import Mlp
from strategies.reinforcement.env import DesignEnv, ScoredEnv

CONDITIONAL = Choices(
    [
        Choice("", "op", ("skip", "conv", "dw")),
        Choice("", "width", (8, 16), ("op", frozenset({"conv", "dw"}))),
        Choice("", "bits", (2, 4, 8, 16), ("width", frozenset({16}))),
        Choice("", "bias", (False, True)),
    ]
)
SPACES = {
    "conditional": CONDITIONAL,
    "last inactive": Choices(CONDITIONAL[:3]),
    "flat": Choices([Choice(f"stage{i}", "bits", (2, 4, 8)) for i in range(30)]),
    "one choice": Choices([Choice("", "op", ("a", "b"))]),
    "one design": Choices([Choice("", "op", ("a",))]),
}


@pytest.mark.parametrize("choices", SPACES.values(), ids=SPACES)
def test_the_environment_passes_the_checker_of_gymnasium(choices: Choices) -> None:
    check_env(DesignEnv(choices), skip_render_check=True)


@pytest.mark.parametrize("choices", SPACES.values(), ids=SPACES)
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
def test_the_scored_environment_passes_the_checker_of_gymnasium(choices: Choices) -> None:
    check_env(ScoredEnv(DesignEnv(choices), sum), skip_render_check=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda space: gymnasium.make("nas/Design-v0", space=space),
        lambda space: gymnasium.make("strategies.reinforcement.env:nas/Design-v0", space=space),
        lambda space: gymnasium.make("nas/Scored-v0", space=space, score=sum),
    ],
    ids=["design", "by module", "scored"],
)
@pytest.mark.parametrize("space", [CONDITIONAL, Mlp()], ids=["choices", "search space"])
def test_the_environments_are_registered(
    make: Callable[[Choices | Mlp], gymnasium.Env[Any, Any]], space: Choices | Mlp
) -> None:
    env = make(space)
    check_env(env.unwrapped, skip_render_check=True)
    choices = space if isinstance(space, Choices) else space.choices
    assert isinstance(env.unwrapped, DesignEnv)
    assert env.observation_space.shape == (len(choices) + 1,)
    assert env.action_space == gymnasium.spaces.Discrete(max(choices.arities))


def test_a_minimal_learner_finds_the_best_design_in_a_vector_of_environments() -> None:
    """Tabular REINFORCE (Williams 1992): one row of preferences per choice."""
    designs = {CONDITIONAL.canonical(genes) for genes in np.ndindex(*CONDITIONAL.arities)}
    worths = np.random.default_rng(3).random((4, 4))

    def score(genotype: Genotype) -> float:
        return float(
            np.mean([worths[index, genotype[index]] for index in CONDITIONAL.active(genotype)])
        )

    envs = gymnasium.make_vec(
        "nas/Scored-v0", num_envs=16, vectorization_mode="sync", space=CONDITIONAL, score=score
    )
    rng = np.random.default_rng(0)
    preferences, gradient, baseline = np.zeros((4, 4)), np.zeros((16, 4, 4)), 0.5
    observations, info = envs.reset(seed=0)
    over = np.zeros(16, bool)
    for _ in range(3000):
        rows = np.where(over, 0, observations[:, 0]) % 4
        odds = np.exp(preferences[rows]) * info["action_mask"]
        odds = np.where(over[:, None], 1.0, odds)
        odds /= odds.sum(1, keepdims=True)
        actions = np.array([rng.choice(4, p=row) for row in odds])
        gradient[over] = 0
        for index in np.flatnonzero(~over):
            gradient[index, rows[index]] += np.eye(4)[actions[index]] - odds[index]
        # An environment that has ended ignores the action and starts anew.
        observations, rewards, over, _, info = envs.step(actions)
        for index in np.flatnonzero(over):
            preferences += 0.1 * (rewards[index] - baseline) * gradient[index]
            baseline += 0.02 * (rewards[index] - baseline)
    envs.close()
    env = gymnasium.make("nas/Scored-v0", space=CONDITIONAL, score=score)
    observation, info = env.reset()
    while "genotype" not in info:
        masked = np.where(info["action_mask"], preferences[observation[0]], -np.inf)
        observation, reward, *_, info = env.step(int(masked.argmax()))
    assert info["genotype"] == max(designs, key=score)
    assert reward == score(info["genotype"])


def test_inactive_choices_take_no_step() -> None:
    env = DesignEnv(CONDITIONAL)
    observation, info = env.reset()
    assert list(observation) == [0, 0, 0, 0, 0]
    assert list(info["action_mask"]) == [1, 1, 1, 0]
    observation, reward, terminated, truncated, info = env.step(0)
    assert list(observation) == [3, 1, 0, 0, 0]
    assert list(info["action_mask"]) == [1, 1, 0, 0]
    assert (reward, terminated, truncated) == (0.0, False, False)
    observation, reward, terminated, truncated, info = env.step(1)
    assert list(observation) == [4, 1, 0, 0, 2]
    assert list(info["action_mask"]) == [0, 0, 0, 0]
    assert (reward, terminated, truncated, info["genotype"]) == (0.0, True, False, (0, 0, 0, 1))


def test_the_steps_of_an_episode_are_the_active_genes() -> None:
    rng = np.random.default_rng(0)
    env = DesignEnv(CONDITIONAL)
    for _ in range(100):
        genotype = CONDITIONAL.sample(rng)
        observation, info = env.reset()
        decided = []
        while "genotype" not in info:
            decided.append(int(observation[0]))
            observation, *_, info = env.step(genotype[observation[0]])
        assert tuple(decided) == CONDITIONAL.active(genotype)
        assert info["genotype"] == genotype


def test_an_action_without_an_option_is_a_fair_draw_that_the_seed_decides() -> None:
    def drawn(seed: int) -> list[Genotype]:
        env = DesignEnv(
            Choices([Choice("", "many", tuple(range(6))), Choice("", "few", ("a", "b", "c"))])
        )
        env.reset(seed=seed)
        genotypes = []
        for _ in range(900):
            env.reset()
            env.step(0)
            *_, info = env.step(5)
            genotypes.append(info["genotype"])
        return genotypes

    assert drawn(1) == drawn(1) != drawn(2)
    np.testing.assert_allclose(np.bincount([few for _, few in drawn(1)]) / 900, 1 / 3, atol=0.06)


def test_the_score_is_the_last_reward() -> None:
    env = ScoredEnv(DesignEnv(CONDITIONAL), lambda genotype: sum(genotype) / 10)
    env.reset()
    assert [env.step(action)[1] for action in (2, 1, 3, 1)] == [0.0, 0.0, 0.0, 0.7]


def test_other_wrappers_go_on_top() -> None:
    env = FlattenObservation(ScoredEnv(DesignEnv(CONDITIONAL), sum))
    observation, _ = env.reset()
    assert observation.shape == (5 + 4 + 3 + 5 + 3,)


def test_invalid_steps_are_refused() -> None:
    env = DesignEnv(Choices([Choice("", "op", ("a", "b"))]))
    env.reset()
    for action in (-1, 2):
        with pytest.raises(ValueError, match=f"an action must be in 0 … 1, but got {action}"):
            env.step(action)
    env.step(1)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(1)
