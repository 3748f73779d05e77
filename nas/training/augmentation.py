"""How training samples are varied, so that a network rarely sees one twice."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training samples are varied; by default not at all.

    An image [N, C, H, W] is moved by up to `shift` pixels along each side, zeros coming in; with `flip` it is
    mirrored half of the time; and a square of `cutout` pixels, whose center is anywhere in the
    image, is set to 0 (DeVries & Taylor, 2017). A signal [N, C, T] is an image of one row: it is moved
    in time, and `cutout` moments of it are set to 0. To inputs of any shape, Gaussian `noise` of this
    standard deviation is added, in their unit (Bishop, 1995); and each is mixed with another one of its
    batch, as its label is, by a share from Beta(`mixup`, `mixup`) (Zhang et al., 2018; 0.2 is usual).

    Each epoch draws anew, but where a teacher answers: it answers `views` fixed variants of each
    sample once, and an epoch draws one of them. Mixed samples it cannot answer.

    Raises:
        ValueError: if a number of pixels, the noise or mixup is negative or not finite, or there is no
            view.
    """

    shift: int = 0
    flip: bool = False
    cutout: int = 0
    views: int = 8
    noise: float = 0.0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        if self.shift < 0 or self.cutout < 0 or self.views < 1:
            raise ValueError(
                f"an augmentation must have shift and cutout >= 0 and views >= 1, but got {self}"
            )
        if not (0.0 <= self.noise < math.inf and 0.0 <= self.mixup < math.inf):
            raise ValueError(
                f"an augmentation must have noise and mixup >= 0 and finite, but got {self}"
            )

    @property
    def is_off(self) -> bool:
        """Whether samples stay as they are."""
        return not (self.moves or self.noise or self.mixup)

    @property
    def moves(self) -> bool:
        """Whether images are moved, mirrored or cut."""
        return bool(self.shift or self.flip or self.cutout)

    def check(self, shape: tuple[int, ...]) -> None:
        """Checks that inputs of this shape, [N, …], can be varied so.

        Raises:
            ValueError: if they are neither images [N, C, H, W] nor signals [N, C, T] and are to be moved,
                mirrored or cut, or not larger than `shift` and `cutout`.
        """
        if not self.moves:
            return
        if len(shape) not in (3, 4):
            raise ValueError(
                f"shift, flip and cutout must have images [N, C, H, W] or signals [N, C, T], but the inputs are {[*shape]}; "
                "noise and mixup suit any inputs"
            )
        if max(self.shift, self.cutout) >= min(shape[2:]):
            what, size = (
                ("images", f"{shape[2]}x{shape[3]}") if len(shape) == 4 else ("signals", shape[2])
            )
            raise ValueError(
                f"shift and cutout must be smaller than the {what}, {size}, but got {self}"
            )


OFF = Augmentation()

AUGMENTATIONS: Mapping[str, Augmentation] = {
    "off": OFF,
    "mild": Augmentation(shift=2),
    "mirrored": Augmentation(shift=2, flip=True),
    "strong": Augmentation(shift=2, flip=True, cutout=8),
    "noisy": Augmentation(noise=0.1),
    "mixed": Augmentation(mixup=0.2),
}
"""Augmentations by the names that choices of a search use. "mild" keeps the class of any image of 28
pixels or so, "mirrored" and "strong" only where a mirror image has the same class: clothes, not digits.
"noisy" is for inputs of a spread of about 1, "mixed" for any.
"""
