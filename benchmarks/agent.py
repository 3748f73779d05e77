"""A search by PPO of stable-baselines3 in the Gymnasium environment; needs the extra `rl`:
`python benchmarks/agent.py`.
"""

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
CONTRIBUTIONS = generator(0, "worth").random((len(CHOICES), max(CHOICES.arities)))


def score(genotype: Genotype) -> float:
    """A made-up score in 0 to 1, the mean of the contributions of all active genes."""
    return float(
        np.mean([CONTRIBUTIONS[index, genotype[index]] for index in CHOICES.active(genotype)])
    )


def learned_genotype(
    choices: Choices, score: Callable[[Genotype], float], steps: int, seed: int
) -> Genotype:
    """The genotype of the deterministic policy after `steps` environment steps of PPO.

    `score` should be within 0 to 1. Stable-baselines3 seeds the global generators.
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
    best = learned_genotype(CHOICES, score, steps=8192, seed=0)
    print(f"score {score(best):.4f}, one of {CHOICES.size} designs: {dict(CHOICES.decode(best))}")
