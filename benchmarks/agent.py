"""A search by an agent of another library: PPO of stable-baselines3, which the extra `rl` installs."""

from collections.abc import Callable

import gymnasium
import numpy as np
from stable_baselines3 import PPO

import strategies.reinforcement.env  # noqa: F401 - registers the environments
from nas.seeds import generator
from nas.space import Choice, Choices, Genotype

CHOICES = Choices(
    [
        Choice("stage0", "op", ("skip", "conv", "separable")),
        Choice("stage0", "bits", (2, 4, 8), ("stage0.op", frozenset({"conv", "separable"}))),
        Choice("stage1", "op", ("skip", "conv", "separable")),
        Choice("stage1", "bits", (2, 4, 8), ("stage1.op", frozenset({"conv", "separable"}))),
        Choice("head", "bits", (2, 4, 8)),
    ]
)
WORTH = generator(0, "worth").random((len(CHOICES), max(CHOICES.arities)))


def worth(genotype: Genotype) -> float:
    """What a made-up network is worth, 0 to 1: the mean of what each of its decisions adds."""
    return float(np.mean([WORTH[index, genotype[index]] for index in CHOICES.active(genotype)]))


def learnt(choices: Choices, score: Callable[[Genotype], float], steps: int, seed: int) -> Genotype:
    """The genotype that a policy decides for after so many steps of learning from `score`, 0 to 1.

    Stable-baselines3 seeds the global generators.
    """
    env = gymnasium.make("nas/Scored-v0", space=choices, score=score)
    agent = PPO(
        "MlpPolicy", env, n_steps=256, batch_size=64, learning_rate=3e-3, seed=seed, device="cpu"
    )
    agent.learn(steps)
    observation, info = env.reset(seed=seed)
    while "genotype" not in info:
        action, _ = agent.predict(observation, deterministic=True)
        observation, _, _, _, info = env.step(int(action))
    genotype: Genotype = info["genotype"]
    return genotype


if __name__ == "__main__":
    found = learnt(CHOICES, worth, steps=8192, seed=0)
    print(f"worth {worth(found):.4f}, one of {CHOICES.size} designs: {dict(CHOICES.decode(found))}")
