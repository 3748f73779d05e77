"""Variants of samples as small integers, and the samples that they stand for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nas.seeds import derive
from nas.training.augmentation import Augmentation
from nas.training.mixup import draw_shares
from nas.training.noise import SEEDS, noise

MOVES = 5
"""The integers of a variant: rows and columns that it is moved by, 1 if it is mirrored, and the row and
the column of the center of what is cut out. With noise there is its seed too, and with mixup, at the end,
the share of the sample that stays.
"""


def draw_moves(
    augmentation: Augmentation, count: int, height: int, width: int, generator: torch.Generator
) -> Tensor:
    """A random variant for each of `count` images of `height` and `width`, int16 [count, MOVES or more]."""
    sides = 2 * augmentation.shift + 1
    # A signal, an image of one row, only moves in time.
    spans = (sides if height > 1 else 1, sides, 1 + augmentation.flip, height, width)
    columns = [torch.randint(span, (count,), generator=generator) for span in spans]
    moves = torch.stack(columns, 1).to(torch.int16)
    moves[:, 0 if height > 1 else 1 : 2] -= augmentation.shift
    more = []
    if augmentation.noise:
        more.append(torch.randint(SEEDS, (count,), generator=generator).to(torch.int16))
    if augmentation.mixup:
        more.append(draw_shares(augmentation.mixup, count, generator))
    return torch.cat((moves, torch.stack(more, 1)), 1) if more else moves


def moved(images: Tensor, moves: Tensor, augmentation: Augmentation) -> Tensor:
    """The variants `moves` [N, MOVES or more] of images [N, C, H, W], signals [N, C, T] or, of which none
    is moved, other inputs [N, …], in the same shape; not mixed.
    """
    if augmentation.moves:
        images = _moved(images, moves, augmentation)
    if augmentation.noise:
        added = noise(moves[:, MOVES], images[0].numel()).view(images.shape)
        images = images + augmentation.noise * added
    return images


def _moved(images: Tensor, moves: Tensor, augmentation: Augmentation) -> Tensor:
    if images.ndim == 3:
        return _moved(images[:, :, None], moves, augmentation)[:, :, 0]
    height, width = images.shape[2:]
    down, right, mirrored, row, column = moves[:, :MOVES].long()[:, :, None].unbind(1)
    rows, columns = (torch.arange(size, device=images.device) for size in (height, width))
    # Where each row and column of the result, [N, H] and [N, W], comes from in images with a margin.
    margin = augmentation.shift
    above = rows - down + margin
    left = torch.where(mirrored > 0, width - 1 - columns, columns) - right + margin
    source = (above * (width + 2 * margin))[:, :, None] + left[:, None, :]
    places = source.view(len(images), 1, -1).expand(-1, images.shape[1], -1)
    wide = nn.functional.pad(images, (margin,) * 4)
    result = wide.flatten(2).gather(2, places).view(images.shape)
    if augmentation.cutout:
        side = augmentation.cutout
        cut_rows = _within(rows - row + side // 2, side)
        cut_columns = _within(columns - column + side // 2, side)
        result.masked_fill_((cut_rows[:, :, None] & cut_columns[:, None, :])[:, None], 0.0)
    return result


def _size(inputs: Tensor) -> tuple[int, int]:
    """Rows and columns of images [N, C, H, W]; of signals [N, C, T] one row; of other inputs, which stay
    in place, one of each.
    """
    if inputs.ndim not in (3, 4):
        return 1, 1
    *rows, columns = inputs.shape[2:]
    return (rows or [1])[0], columns


def _within(places: Tensor, size: int) -> Tensor:
    return (places >= 0) & (places < size)


@dataclass(frozen=True, eq=False)
class Views:
    """The fixed variants of N samples: `moves`, [views · N, MOVES or more], of which those of view k of
    sample i are at the position k · N + i.
    """

    augmentation: Augmentation
    moves: Tensor

    def images(self, inputs: Tensor, positions: Tensor) -> Tensor:
        """The variants of all N samples `inputs` at `positions`, [n], in the shape [n, …]."""
        return moved(inputs[positions % len(inputs)], self.moves[positions], self.augmentation)

    def to(self, device: torch.device) -> "Views":
        """The same on a device."""
        return replace(self, moves=self.moves.to(device))


def fixed_views(augmentation: Augmentation, inputs: Tensor, seed: int) -> Views:
    """The views of samples; each follows from the seed and its number alone."""
    count, (height, width) = len(inputs), _size(inputs)
    moves = [
        draw_moves(
            augmentation,
            count,
            height,
            width,
            torch.Generator().manual_seed(derive(seed, "view", str(view))),
        )
        for view in range(augmentation.views)
    ]
    return Views(augmentation, torch.cat(moves))


@dataclass(frozen=True, eq=False)
class Shown:
    """What a network is shown of training samples, in two steps: what is random is drawn by the
    processor, the rest is computed where the samples are.

    `draw` gives what is random of so many samples, integers [n, …]. `images` takes the positions of
    training samples, [n], and what was drawn for them, and gives what a network is shown, and the
    positions by which a loss knows that.
    """

    draw: Callable[[int], Tensor]
    images: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

    def __call__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Both steps."""
        return self.images(index, self.draw(len(index)))


def shown(
    inputs: Tensor, augmentation: Augmentation, views: Views | None, generator: torch.Generator
) -> Shown:
    """What is shown of `inputs`: the samples as they are; a variant of each, drawn from `generator`;
    or one of `views`, with its position there.

    Raises:
        ValueError: if the inputs cannot be varied so.
    """
    augmentation.check(inputs.shape)
    if augmentation.is_off:
        return Shown(lambda count: torch.empty(count, 0), lambda index, _: (inputs[index], index))
    if views is None:
        height, width = _size(inputs)
        return Shown(
            lambda count: draw_moves(augmentation, count, height, width, generator),
            lambda index, moves: (moved(inputs[index], moves, augmentation), index),
        )

    def viewed(index: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        positions = number * len(inputs) + index
        return views.images(inputs, positions), positions

    return Shown(
        lambda count: torch.randint(augmentation.views, (count,), generator=generator), viewed
    )
