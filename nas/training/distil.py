"""Knowledge distillation: a candidate also learns from a teacher's soft labels, and from what it
makes on the way to them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, kl_div, log_softmax, mse_loss, normalize

from nas.data import Task
from nas.objective import Epoch
from nas.quantize import ActivationQuantizer, FusedReLU
from nas.training.fit import Loss, cross_entropy, fit, logits
from nas.training.recipe import Recipe

ANSWER_BATCH = 256


@dataclass(frozen=True)
class Hint:
    """A place where the student is led to the teacher's features, by the dotted names of modules
    that hold no others.

    "projection": a learned 1x1 convolution (or linear layer) of the student's features comes near
    the teacher's in mean squared error (Romero et al., 2015, FitNets). "attention": the two maps of
    mean squared activation, each of length 1, come near each other (Zagoruyko & Komodakis, 2017).
    Maps of other sizes are averaged to the smaller one's.

    Raises:
        ValueError: if the weight is not positive.
    """

    student: str
    teacher: str
    weight: float = 1.0
    attention: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.weight < float("inf"):
            raise ValueError(f"the weight of a hint must be positive and finite, but got {self}")


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A network that candidates learn from, and how much they heed it.

    `build` takes an example batch and the number of classes. The run trains what it builds for
    `epochs` on the training split; with 0 epochs it is taken as it is built, or as `weights`, a
    file that `nas.training.checkpoint` wrote, says. `alpha` is the weight of the true labels, 0 to
    1.

    Raises:
        ValueError: if a value is out of range, or there are weights and epochs.
    """

    build: Callable[[Tensor, int], nn.Module]
    epochs: int = 40
    alpha: float = 0.5
    temperature: float = 4.0
    hints: tuple[Hint, ...] = ()
    weights: Path | None = None

    def __post_init__(self) -> None:
        if self.epochs < 0 or not 0.0 <= self.alpha <= 1.0 or not self.temperature > 0.0:
            raise ValueError(
                f"a teacher needs epochs >= 0, alpha in [0, 1] and temperature > 0, but got {self}"
            )
        if self.weights is not None and self.epochs > 0:
            raise ValueError(
                f"a teacher with weights must have 0 epochs, but got {self.epochs}: it is not trained again"
            )


class Distillation:
    """alpha · cross-entropy + (1 - alpha) · T² · KL(teacher ‖ student) at temperature T (Hinton et
    al., 2015), and hints.

    The teacher answers the training `inputs` once, when this is made: they are fixed, so its
    answers are too. With hints it must be watching the student that it is called for.

    Raises:
        ValueError: if a hint names no module of the teacher.
    """

    def __init__(
        self,
        teacher: nn.Module,
        inputs: Tensor,
        alpha: float,
        temperature: float,
        hints: Sequence[Hint] = (),
    ) -> None:
        self._alpha, self._temperature, self._hints = alpha, temperature, tuple(hints)
        with _captured(teacher, [hint.teacher for hint in hints], "teacher") as seen:
            batches = [
                (
                    logits(teacher, part),
                    [_taught(hint, made) for hint, made in zip(hints, seen, strict=True)],
                )
                for part in torch.split(inputs, ANSWER_BATCH)
            ]
        # Clones, because tensors made in inference mode cannot take part in training.
        self._soft = torch.softmax(
            torch.cat([said for said, _ in batches]) / temperature, 1
        ).clone()
        self._taught = [
            torch.cat(parts).clone() for parts in zip(*(made for _, made in batches), strict=True)
        ]
        self._made: list[Tensor] = []
        self._projections: list[nn.Module] = []

    def __call__(self, student: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """The loss of the student's logits [N, classes] on the training samples at `index`."""
        spoken = log_softmax(student / self._temperature, 1)
        divergence = kl_div(spoken, self._soft[index], reduction="batchmean")
        loss = (
            self._alpha * cross_entropy(student, labels, index)
            + (1.0 - self._alpha) * self._temperature**2 * divergence
        )
        for hint, made, taught, projection in zip(
            self._hints, self._made, self._taught, self._projections, strict=True
        ):
            loss = loss + hint.weight * _distance(hint, projection(made), taught[index])
        return loss

    @contextmanager
    def watching(self, student: nn.Module, example: Tensor) -> Iterator[Sequence[nn.Parameter]]:
        """While this lasts, the student's features are seen; yields the parameters that are to be
        trained with its own.

        Raises:
            ValueError: if a hint names no module of the student, or its features have other
                dimensions than the teacher's.
        """
        with _captured(student, [hint.student for hint in self._hints], "student") as seen:
            logits(student, example)
            if silent := [
                hint.student
                for hint, made in zip(self._hints, seen, strict=True)
                if not made.numel()
            ]:
                # A traced network calls its layers, and no longer what held them.
                raise ValueError(
                    f"a hint must name modules that hold no others, but the student never calls {silent}"
                )
            pairs = zip(self._hints, seen, self._taught, strict=True)
            self._projections = [_projection(hint, made, taught) for hint, made, taught in pairs]
            self._made = seen
            yield [
                parameter
                for projection in self._projections
                for parameter in projection.parameters()
            ]
        self._made, self._projections = [], []


def distillation(
    teacher: nn.Module, inputs: Tensor, alpha: float, temperature: float, hints: Sequence[Hint] = ()
) -> Loss:
    """The loss of `Distillation`."""
    return Distillation(teacher, inputs, alpha, temperature, hints)


def distil(
    student: nn.Module,
    teacher: nn.Module,
    task: Task,
    recipe: Recipe,
    generator: torch.Generator,
    alpha: float = 0.5,
    temperature: float = 4.0,
    hints: Sequence[Hint] = (),
) -> tuple[Epoch, ...]:
    """Trains `student` in place, for the recipe's `epochs`, by a teacher's answers, and returns
    what each epoch reached.

    >>> from nas.data import digits
    >>> from nas.seeds import generator
    >>> task = digits(generator(0, "digits"))
    >>> teacher, student = (nn.Sequential(nn.Flatten(), nn.Linear(64, n), nn.ReLU(), nn.Linear(n, 10)) for n in (64, 8))
    >>> recipe = Recipe(epochs=3)
    >>> _ = fit(teacher, task, recipe, epochs=3, lr=recipe.lr, loss=cross_entropy, generator=torch.Generator().manual_seed(0))
    >>> len(distil(student, teacher, task, recipe, torch.Generator().manual_seed(0)))
    3

    Raises:
        ValueError: if a hint does not fit the networks.
        DivergedError: if the loss of an epoch is not finite.
    """
    loss = distillation(teacher, task.train.inputs, alpha, temperature, hints)
    return fit(
        student, task, recipe, epochs=recipe.epochs, lr=recipe.lr, loss=loss, generator=generator
    )


@contextmanager
def _captured(model: nn.Module, names: Sequence[str], whose: str) -> Iterator[list[Tensor]]:
    """The latest output of each named module, in a list that every forward pass renews.

    Of a ReLU that the range behind it carries out it is what that range gives.
    """
    modules = dict(model.named_modules())
    if unknown := [name for name in names if name not in modules]:
        raise ValueError(
            f"a hint must name modules of the {whose}, {[name for name in modules if name]}, but names {unknown}"
        )
    seen = [torch.empty(0)] * len(names)

    def note(position: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:  # noqa: ARG001 - torch's signature
            seen[position] = output

        return hook

    fused = [
        position for position, name in enumerate(names) if isinstance(modules[name], FusedReLU)
    ]

    def rectified(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:  # noqa: ARG001
        # By what it was given, because several tensors can share a range.
        for position in fused:
            if seen[position] is inputs[0]:
                seen[position] = output

    with ExitStack() as hooks:
        for position, name in enumerate(names):
            hooks.callback(modules[name].register_forward_hook(note(position)).remove)
        for module in modules.values() if fused else ():
            if isinstance(module, ActivationQuantizer):
                hooks.callback(module.register_forward_hook(rectified).remove)
        yield seen


class _Pointwise(nn.Linear):
    """A linear layer of [N, F], and a 1x1 convolution of [N, C, H, W]: as a product of matrices
    small maps take a quarter of the time.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


def _projection(hint: Hint, made: Tensor, taught: Tensor) -> nn.Module:
    if made.ndim != taught.ndim or made.ndim not in ((4,) if hint.attention else (2, 4)):
        raise ValueError(
            f"a hint must lead [N, C, H, W] to [N, C, H, W], or [N, F] to [N, F] without attention, but {hint.student!r} gives "
            f"{list(made.shape[1:])} and {hint.teacher!r} {list(taught.shape[1:])}"
        )
    if hint.attention:
        return nn.Identity()
    return _Pointwise(made.shape[1], taught.shape[1])


def _attention(features: Tensor) -> Tensor:
    return features.square().mean(1, keepdim=True)


def _taught(hint: Hint, features: Tensor) -> Tensor:
    """What is kept of the teacher's features: a copy, because the next batch takes their place."""
    return _attention(features) if hint.attention else features.clone()


def _distance(hint: Hint, made: Tensor, taught: Tensor) -> Tensor:
    if hint.attention:
        made = _attention(made)
    if made.ndim == 4 and made.shape != taught.shape:
        size = min(made.shape[2], taught.shape[2]), min(made.shape[3], taught.shape[3])
        made, taught = adaptive_avg_pool2d(made, size), adaptive_avg_pool2d(taught, size)
    if hint.attention:
        return (normalize(made.flatten(1)) - normalize(taught.flatten(1))).square().sum(1).mean()
    return mse_loss(made, taught)
