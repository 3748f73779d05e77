import random

import numpy as np
import torch

from nas.data import digits


def test_the_digits_are_small_gray_images_in_0_to_1() -> None:
    task = digits(np.random.default_rng(0))
    assert (task.name, task.classes) == ("digits", 10)
    assert task.example.shape == (1, 1, 8, 8)
    assert [len(part.labels) for part in (task.train, task.validation, task.test)] == [
        1078,
        360,
        359,
    ]
    for part in (task.train, task.validation, task.test):
        assert [extreme.item() for extreme in part.inputs.aminmax()] == [0.0, 1.0]
        assert set(part.labels.tolist()) == set(range(10))


def test_the_generator_decides_the_split_and_nothing_global_changes() -> None:
    before = random.getstate(), str(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    assert digits(np.random.default_rng(1)).digest == digits(np.random.default_rng(1)).digest
    assert digits(np.random.default_rng(1)).digest != digits(np.random.default_rng(2)).digest
    assert (random.getstate(), str(np.random.get_state())) == before[:2]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])
