"""How training images are varied, so that a network rarely sees one twice."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training images [N, C, H, W], or signals [N, C, T], are varied; by default not at all.

    An image is moved by up to `shift` pixels along each side, zeros coming in; with `flip` it is
    mirrored half of the time; and a square of `cutout` pixels, whose center is anywhere in the
    image, is set to 0 (DeVries & Taylor, 2017). A signal is an image of one row: it is moved in time,
    and `cutout` samples of it are set to 0. Each epoch draws anew, but where a teacher answers:
    it answers `views` fixed variants of each sample once, and an epoch draws one of them.

    Raises:
        ValueError: if a number of pixels is negative, or there is no view.
    """

    shift: int = 0
    flip: bool = False
    cutout: int = 0
    views: int = 8

    def __post_init__(self) -> None:
        if self.shift < 0 or self.cutout < 0 or self.views < 1:
            raise ValueError(
                f"an augmentation must have shift and cutout >= 0 and views >= 1, but got {self}"
            )

    @property
    def is_off(self) -> bool:
        """Whether images stay as they are."""
        return not (self.shift or self.flip or self.cutout)

    def check(self, shape: tuple[int, ...]) -> None:
        """Checks that inputs of this shape, [N, …], can be varied so.

        Raises:
            ValueError: if they are not images [N, C, H, W], or not larger than `shift` and `cutout`.
        """
        if self.is_off:
            return
        if len(shape) not in (3, 4):
            raise ValueError(
                f"augmentation must have images [N, C, H, W] or signals [N, C, T], but the inputs are {[*shape]}; "
                f"{OFF} leaves inputs as they are"
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
}
"""Augmentations by the names that choices of a search use. "mild" keeps the class of any image of 28
pixels or so, "mirrored" and "strong" only where a mirror image has the same class: clothes, not digits.
"""
