import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from nas.data import Split, Task
from nas.training.augmentation import AUGMENTATIONS, Augmentation
from nas.training.distil import Distillation
from nas.training.losses import check_teaching, squared_error
from nas.training.mixup import draw_shares, mixed
from nas.training.noise import SEEDS, noise
from nas.training.recipe import Recipe
from nas.training.views import draw_moves, fixed_views, moved, shown
from tests.nas.training.training_runs import numbered, shuffle, train

TABLE = torch.randn(6, 5, generator=shuffle())


def test_noise_is_normal_and_follows_from_its_seed() -> None:
    seeds = torch.randint(SEEDS, (400,), generator=shuffle()).to(torch.int16)
    values = noise(seeds, 101)
    assert values.shape == (400, 101)
    assert values.mean().abs() < 0.02
    assert values.std().item() == pytest.approx(1.0, abs=0.02)
    assert (values.abs() < 1.0).float().mean().item() == pytest.approx(0.683, abs=0.01)
    correlation = torch.corrcoef(values[:, :20].T) - torch.eye(20)
    assert correlation.abs().max() < 0.25
    assert torch.equal(noise(seeds[7:8], 101), values[7:8])
    assert noise(torch.arange(SEEDS), 2).isfinite().all()


@pytest.mark.parametrize("shape", [(6, 5), (6, 2, 9), (6, 3, 4, 4)])
def test_noise_is_added_to_inputs_of_any_shape(shape: tuple[int, ...]) -> None:
    inputs, noisy = torch.zeros(shape), Augmentation(noise=0.5, views=3)
    index = torch.arange(6)
    first, again = (shown(inputs, noisy, None, shuffle())(index)[0] for _ in range(2))
    assert torch.equal(first, again)
    assert 0.3 < first.std() < 0.7
    views = fixed_views(noisy, inputs, 0)  # those of a teacher are made again
    given, positions = shown(inputs, noisy, views, shuffle())(index)
    assert torch.equal(given, views.images(inputs, positions))
    assert first[0].ne(first[1]).any()


def test_moves_are_drawn_as_before_beside_noise() -> None:
    some = Augmentation(shift=1, flip=True, cutout=2)
    plain = draw_moves(some, 8, 6, 5, shuffle())
    both = draw_moves(replace(some, noise=0.1, mixup=0.2), 8, 6, 5, shuffle())
    assert torch.equal(both[:, :5], plain)
    assert both.shape == (8, 7)
    images = torch.rand(8, 1, 6, 5)
    assert torch.equal(moved(images, both, replace(some, mixup=0.2)), moved(images, plain, some))


def test_samples_are_mixed_with_their_labels() -> None:
    inputs, labels = torch.eye(3), torch.tensor([0, 1, 2])
    shares = torch.tensor([2**14, 2**13, 2**12], dtype=torch.int16)
    given, said = mixed(inputs, labels, shares, 3)
    expected = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0, 0.75, 0.25]])
    assert torch.equal(given, expected)
    assert torch.equal(said, expected)
    _, targets = mixed(inputs, torch.tensor([1.0, 2.0, 4.0]), shares, 0)
    assert targets.tolist() == [1.0, 1.5, 2.5]


def test_shares_are_those_of_a_beta_distribution() -> None:
    shares = draw_shares(0.2, 4000, shuffle()).float() / 2**14
    assert 0.0 <= shares.min() <= shares.max() <= 1.0
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares.var().item() == pytest.approx(0.25 / 1.4, abs=0.02)
    assert torch.equal(shares, draw_shares(0.2, 4000, shuffle()).float() / 2**14)


@pytest.mark.parametrize("loss", [{}, {"focal": 1.0}, {"label_smoothing": 0.1}])
def test_mixed_samples_are_learned(loss: dict[str, float]) -> None:
    recipe = Recipe(batch_size=8, lr=0.02, augmentation=AUGMENTATIONS["mixed"], **loss)  # type: ignore[arg-type]
    curves = [train(nn.Linear(2, 2), numbered(20), recipe=recipe) for _ in range(2)]
    assert all(len(curve) == 2 for curve in curves)


def test_a_teacher_cannot_answer_mixtures() -> None:
    mixture = AUGMENTATIONS["mixed"]
    check_teaching(Recipe(augmentation=mixture), taught=False)
    with pytest.raises(ValueError, match="mixup must be 0 where a teacher answers"):
        check_teaching(Recipe(augmentation=mixture), taught=True)
    with pytest.raises(ValueError, match="must answer samples that are not mixed"):
        Distillation(nn.Linear(5, 2), TABLE, 0.5, 4.0, augmentations=[mixture])
    Distillation(nn.Linear(5, 2), TABLE, 0.5, 4.0, augmentations=[AUGMENTATIONS["noisy"]])


def test_headers_of_before_stay() -> None:
    described = Recipe(augmentation=Augmentation(shift=2)).describe()
    assert json.dumps(described["augmentation"]) == (
        '{"shift": 2, "flip": false, "cutout": 0, "views": 8}'
    )
    assert "augmentation" not in Recipe().describe()
    assert Recipe(augmentation=Augmentation(noise=0.1)).describe()["augmentation"]["noise"] == 0.1


@pytest.mark.parametrize("values", [{"noise": -0.1}, {"mixup": float("inf")}])
def test_noise_and_mixup_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="noise and mixup >= 0 and finite, but got"):
        Augmentation(**values)  # type: ignore[arg-type]


def test_targets_of_a_regression_are_mixed_in_training() -> None:
    part = Split(torch.randn(12, 3, generator=shuffle()), torch.randn(12, generator=shuffle(1)))
    task = Task(name="targets", train=part, validation=part, test=part, kind="regression")
    recipe = Recipe(batch_size=4, lr=0.02, augmentation=Augmentation(mixup=0.2, noise=0.1))
    assert len(train(nn.Linear(3, 1), task, recipe=recipe, loss=squared_error)) == 2
