import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FlattenObservation

from nas.space import Choice, Choices, Genotype
from strategies.env import DesignEnv, ScoredEnv

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
def test_gymnasium_finds_nothing_to_complain_about(choices: Choices) -> None:
    check_env(DesignEnv(choices), skip_render_check=True)


@pytest.mark.parametrize("choices", SPACES.values(), ids=SPACES)
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
def test_gymnasium_finds_nothing_to_complain_about_in_the_scored_one(choices: Choices) -> None:
    check_env(ScoredEnv(DesignEnv(choices), sum), skip_render_check=True)


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
        env = DesignEnv(Choices([Choice("", "many", tuple(range(6))), Choice("", "few", ("a", "b", "c"))]))
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


def test_the_score_is_paid_at_the_end() -> None:
    env = ScoredEnv(DesignEnv(CONDITIONAL), lambda genotype: sum(genotype) / 10)
    env.reset()
    assert [env.step(action)[1] for action in (2, 1, 3, 1)] == [0.0, 0.0, 0.0, 0.7]


def test_other_wrappers_go_on_top() -> None:
    env = FlattenObservation(ScoredEnv(DesignEnv(CONDITIONAL), sum))
    observation, _ = env.reset()
    assert observation.shape == (5 + 4 + 3 + 5 + 3,)


def test_steps_that_cannot_be_taken_are_refused() -> None:
    env = DesignEnv(Choices([Choice("", "op", ("a", "b"))]))
    env.reset()
    for action in (-1, 2):
        with pytest.raises(ValueError, match=f"an action must be in 0 … 1, but got {action}"):
            env.step(action)
    env.step(1)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(1)
