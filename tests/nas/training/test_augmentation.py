from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from nas.data import Task
from nas.training.augmentation import AUGMENTATIONS, Augmentation
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe
from nas.training.views import draw_moves, fixed_views, moved, shown
from tests.nas.training.training_runs import numbered, shuffle, train

SOME = Augmentation(shift=1, flip=True, cutout=2)
IMAGE = torch.arange(1.0, 7.0).view(1, 1, 2, 3)


def moves(*values: int) -> Tensor:
    return torch.tensor([values], dtype=torch.int16)


@pytest.mark.parametrize(
    ("down", "right", "flip", "expected"),
    [
        (0, 0, 0, [[1, 2, 3], [4, 5, 6]]),
        (1, 0, 0, [[0, 0, 0], [1, 2, 3]]),
        (-1, 0, 0, [[4, 5, 6], [0, 0, 0]]),
        (0, 1, 0, [[0, 1, 2], [0, 4, 5]]),
        (0, 0, 1, [[3, 2, 1], [6, 5, 4]]),
        (1, -1, 0, [[0, 0, 0], [2, 3, 0]]),
    ],
)
def test_images_are_moved_and_mirrored(
    down: int, right: int, flip: int, expected: list[list[int]]
) -> None:
    given = moved(IMAGE, moves(down, right, flip, 0, 0), Augmentation(shift=1, flip=True))
    assert given.tolist() == [[expected]]


@pytest.mark.parametrize(("row", "column", "cut"), [(2, 2, 4), (0, 0, 1), (3, 0, 2), (1, 3, 4)])
def test_a_square_is_cut_out_around_its_center(row: int, column: int, cut: int) -> None:
    given = moved(torch.ones(1, 2, 4, 4), moves(0, 0, 0, row, column), Augmentation(cutout=2))
    assert (given == 0).sum((2, 3)).tolist() == [[cut, cut]]
    assert given[0, :, row, column].tolist() == [0.0, 0.0]


def test_each_image_has_a_variant_of_its_own_and_keeps_shape_and_range() -> None:
    images = torch.rand(64, 3, 6, 5, generator=shuffle())
    drawn = draw_moves(SOME, 64, 6, 5, shuffle(1))
    given = moved(images, drawn, SOME)
    assert given.shape == images.shape
    assert 0.0 <= given.min() <= given.max() <= images.max()
    assert len({tuple(row) for row in drawn.tolist()}) > 32
    assert [sorted(set(column.tolist())) for column in drawn.T] == [
        [-1, 0, 1],
        [-1, 0, 1],
        [0, 1],
        [*range(6)],
        [*range(5)],
    ]
    one = moved(images[7:8], drawn[7:8], SOME)
    assert torch.equal(given[7:8], one), "no variant depends on the others in its batch"


def test_one_seed_gives_the_same_variants() -> None:
    images = torch.rand(20, 1, 6, 6, generator=shuffle())
    first, again, other = (
        shown(images, SOME, None, shuffle(seed))(torch.arange(20))[0] for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_without_augmentation_nothing_is_drawn_and_nothing_changes() -> None:
    images, generator = torch.rand(4, 1, 6, 6), shuffle()
    given, positions = shown(images, AUGMENTATIONS["off"], None, generator)(torch.tensor([2, 0]))
    assert torch.equal(given, images[[2, 0]])
    assert positions.tolist() == [2, 0]
    assert torch.equal(generator.get_state(), shuffle().get_state())


def test_views_follow_from_the_seed_and_their_number() -> None:
    images = torch.rand(5, 1, 6, 6, generator=shuffle())
    few, many, other = (
        fixed_views(replace(SOME, views=views), images, seed)
        for views, seed in ((2, 0), (3, 0), (3, 1))
    )
    assert torch.equal(many.moves[:10], few.moves)
    assert not torch.equal(many.moves, other.moves)
    # View 2 of sample 3.
    (given,) = many.images(images, torch.tensor([2 * 5 + 3]))
    assert torch.equal(given, moved(images[3:4], many.moves[13:14], SOME)[0])


def test_views_are_drawn_per_sample() -> None:
    images = torch.rand(40, 1, 6, 6)
    views = fixed_views(replace(SOME, views=4), images, 0)
    index = torch.randperm(40, generator=shuffle())
    given, positions = shown(images, views.augmentation, views, shuffle())(index)
    assert torch.equal(positions % 40, index)
    assert set((positions // 40).tolist()) == {0, 1, 2, 3}
    assert torch.equal(given, views.images(images, positions))


def test_training_sees_varied_images(tiny_task: Task) -> None:
    seen: list[Tensor] = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                seen.append(x)
            said: Tensor = self.head(x.flatten(1))
            return said

    varied = Recipe(batch_size=16, augmentation=Augmentation(shift=1))
    train(Watching(), tiny_task, epochs=2, recipe=varied)
    known = {tuple(image.flatten().tolist()) for image in tiny_task.train.inputs}
    first, second = (
        {tuple(x.flatten().tolist()) for x in torch.cat(seen[at : at + 4])} for at in (0, 4)
    )
    assert len(first) == len(second) == 60
    assert 0 < len(first & known) < 30, "a ninth of the images stays where it is"
    assert first != second


@pytest.mark.parametrize("values", [{"shift": -1}, {"cutout": -2}, {"views": 0}])
def test_an_augmentation_that_cannot_be_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="shift and cutout >= 0 and views >= 1, but got"):
        Augmentation(**values)  # type: ignore[arg-type]


def test_what_cannot_be_augmented_is_refused_before_training() -> None:
    model, task = nn.Linear(2, 2), numbered(8)
    before = model.weight.clone()
    with pytest.raises(
        ValueError,
        match=r"must have images \[N, C, H, W\] or signals \[N, C, T\], but the inputs are \[8, 2\]",
    ):
        fit(
            model,
            task,
            Recipe(augmentation=SOME),
            epochs=1,
            lr=0.1,
            loss=cross_entropy,
            generator=shuffle(),
        )
    assert torch.equal(model.weight, before)


def test_a_shift_of_the_whole_image_is_refused() -> None:
    with pytest.raises(ValueError, match="must be smaller than the images, 6x4, but got"):
        Augmentation(shift=4).check((1, 1, 6, 4))
    Augmentation(shift=3, cutout=3).check((1, 1, 6, 4))
