"""Knowledge distillation: a student learns from the soft labels, and the features, of a teacher."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax, mse_loss

from nas.data import Task
from nas.objective import Epoch
from nas.quality import TaskKind
from nas.training.accelerator import placed
from nas.training.augmentation import Augmentation
from nas.training.fit import cross_entropy, fit, logits
from nas.training.hints import Hint, captured, hint_loss, hint_target, projection
from nas.training.recipe import Recipe
from nas.training.two_logits import two_logits
from nas.training.views import Views, fixed_views

TEACHER_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A network that the candidates of a search learn from, and how.

    `build` makes the network from an example batch and the number of classes. The run trains it for
    `epochs` on the training split; with 0 epochs it is used as built, or with the `weights` of a
    file of safetensors, or one that `nas.training.checkpoint` wrote. `alpha`, 0 to 1, is the weight of the true labels,
    1 - alpha that of the teacher's, softened by `temperature`. `hints` are features to learn from,
    by default none. For a binary task it gives one logit, for a regression, where there is nothing to
    soften, as many numbers as there are targets: `build` gets their number for that of the classes.

    Raises:
        ValueError: if a value is out of range, or there are both weights and epochs.
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
                f"a teacher must have epochs >= 0, alpha in [0, 1] and temperature > 0, but got {self}"
            )
        if self.weights is not None and self.epochs > 0:
            raise ValueError(
                f"a teacher with weights must have 0 epochs, as it is not trained again, but got {self.epochs}"
            )


class Distillation:
    """The loss α · cross-entropy + (1 - α) · T² · KL(teacher ‖ student) at temperature T (Hinton et
    al., 2015), and a term for each hint. For a regression it is α · e(labels) + (1 - α) · e(teacher) with
    the mean squared error e.

    `inputs` are those of the training split, and `kind` is that of the task. The teacher's outputs on them are computed once, at
    construction. With hints, the loss must be attached to the student.

    `augmentations` are those by which students may be trained. The teacher answers fixed views of
    each sample, which follow from `seed`, so that it says what it thinks of the very image that the
    student sees (Beyer et al., 2022). The soft labels take 4 bytes for each class, view and sample;
    the images are made again when they are shown.

    Raises:
        ValueError: if a hint names no module of the teacher, there are hints and an augmentation, or
            mixup, the inputs cannot be augmented so, or the teacher gives logits that are not finite.
    """

    def __init__(
        self,
        teacher: nn.Module,
        inputs: Tensor,
        alpha: float,
        temperature: float,
        hints: Sequence[Hint] = (),
        augmentations: Iterable[Augmentation] = (),
        seed: int = 0,
        kind: TaskKind = "classification",
    ) -> None:
        varied = [each for each in dict.fromkeys(augmentations) if not each.is_off]
        for augmentation in varied:
            augmentation.check(inputs.shape)
        if any(augmentation.mixup for augmentation in varied):
            raise ValueError(f"a teacher must answer samples that are not mixed, but got {varied}")
        if hints and varied:
            raise ValueError(
                f"hints must be learned from samples as they are, but got {varied} with {[*hints]}"
            )
        self._alpha, self._temperature, self._hints = alpha, temperature, tuple(hints)
        self._kind = kind
        with (
            placed(teacher, inputs.device),
            captured(teacher, [hint.teacher for hint in hints], "teacher") as seen,
        ):
            batches = [
                (
                    logits(teacher, part),
                    [
                        hint_target(hint, features)
                        for hint, features in zip(hints, seen, strict=True)
                    ],
                )
                for part in torch.split(inputs, TEACHER_BATCH)
            ]
        # Cloned, because tensors that were made in inference mode cannot take part in training.
        # On the processor, because a loss may be sent to other processes.
        answers = torch.cat([answer for answer, _ in batches]).cpu()
        if not bool(answers.isfinite().all()):
            raise ValueError("a teacher must give finite logits, but some are not")
        self._soft_labels = self._softened(answers)
        self._targets = [
            torch.cat(parts).cpu().clone()
            for parts in zip(*(targets for _, targets in batches), strict=True)
        ]
        self._features: list[Tensor] = []
        self._projections: list[nn.Module] = []
        # Empty in the losses of views, which are copies of this one.
        self._of_views: dict[Augmentation, tuple[Distillation, Views]] = {}
        self._of_views = {
            augmentation: self._answered(teacher, inputs, fixed_views(augmentation, inputs, seed))
            for augmentation in varied
        }

    def _softened(self, answers: Tensor) -> Tensor:
        """What a student learns of a teacher's outputs."""
        if self._kind == "regression":
            return answers.clone()
        answers = two_logits(answers) if self._kind == "binary" else answers
        return torch.softmax(answers / self._temperature, 1).clone()

    def _answered(
        self, teacher: nn.Module, inputs: Tensor, views: Views
    ) -> tuple["Distillation", Views]:
        """The same with the teacher's soft labels of all views, [views · N, classes]."""
        there = views.to(inputs.device)
        parts = torch.split(torch.arange(len(views.moves), device=inputs.device), TEACHER_BATCH)
        with placed(teacher, inputs.device):
            answers = torch.cat(
                [logits(teacher, there.images(inputs, part)) for part in parts]
            ).cpu()
        loss = copy.copy(self)
        loss._soft_labels = self._softened(answers)
        loss._of_views = {}
        return loss, views

    def at(self, alpha: float | None, temperature: float | None) -> "Distillation":
        """The same answers with another weight of the true labels and another temperature (None: as
        they are).
        """
        if alpha is None and temperature is None:
            return self
        loss = copy.copy(self)
        if alpha is not None:
            loss._alpha = alpha
        if temperature is not None:
            # Logits but for a constant, which the softmax takes away again.
            answers = self._soft_labels.log() * self._temperature
            loss._soft_labels = torch.softmax(answers / temperature, 1)
            loss._temperature = temperature
        loss._of_views = {
            augmentation: (of_views.at(alpha, temperature), views)
            for augmentation, (of_views, views) in self._of_views.items()
        }
        return loss

    def __call__(self, student: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """The loss of the student's outputs [N, K] on the training samples, or views, at `index`."""
        loss = self._of_outputs(student, labels, index)
        for hint, features, target, project in zip(
            self._hints, self._features, self._targets, self._projections, strict=True
        ):
            loss = loss + hint.weight * hint_loss(hint, project(features), target[index])
        return loss

    def _of_outputs(self, student: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        answers = self._soft_labels[index]
        if self._kind == "regression":
            missed = mse_loss(student, labels.view_as(student))
            return self._alpha * missed + (1.0 - self._alpha) * mse_loss(student, answers)
        student = two_logits(student) if self._kind == "binary" else student
        log_probabilities = log_softmax(student / self._temperature, 1)
        divergence = kl_div(log_probabilities, answers, reduction="batchmean")
        return (
            self._alpha * cross_entropy(student, labels, index)
            + (1.0 - self._alpha) * self._temperature**2 * divergence
        )

    def to(self, device: torch.device) -> "Distillation":
        """The same with the teacher's answers on a device."""
        loss = copy.copy(self)
        loss._soft_labels = self._soft_labels.to(device)
        loss._targets = [target.to(device) for target in self._targets]
        loss._of_views = {
            augmentation: (answered.to(device), views.to(device))
            for augmentation, (answered, views) in self._of_views.items()
        }
        return loss

    def viewed(self, augmentation: Augmentation) -> tuple["Distillation", Views]:
        """The loss of the views by `augmentation`, and these views.

        Raises:
            ValueError: if the teacher answered no views by it.
        """
        if augmentation not in self._of_views:
            raise ValueError(
                f"the teacher must have answered views by {augmentation}, but has by {[*self._of_views]}; "
                "name the augmentation when the loss is made"
            )
        return self._of_views[augmentation]

    @contextmanager
    def attached(self, student: nn.Module, example: Tensor) -> Iterator[Sequence[nn.Parameter]]:
        """A context in which the loss reads the student's features; yields the parameters of the
        projections, to be trained with those of the student.

        Raises:
            ValueError: if a hint names no module of the student, or one that it does not call, or
                features have other dimensions than the teacher's.
        """
        with captured(student, [hint.student for hint in self._hints], "student") as seen:
            logits(student, example)
            if uncalled := [
                hint.student
                for hint, features in zip(self._hints, seen, strict=True)
                if not features.numel()
            ]:
                # A traced network calls its layers, and no longer the modules that held them.
                raise ValueError(
                    f"a hint must name modules without children, but the student never calls {uncalled}"
                )
            self._projections = [
                projection(hint, features, target)
                for hint, features, target in zip(self._hints, seen, self._targets, strict=True)
            ]
            self._features = seen
            yield [parameter for project in self._projections for parameter in project.parameters()]
        self._features, self._projections = [], []


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
    """Trains `student` in place by `Distillation` from a trained teacher, for `recipe.epochs`, and
    returns what each epoch reached.

    `generator` shuffles the samples.

    >>> from nas.data import digits
    >>> from nas.seeds import generator
    >>> task = digits(generator(0, "digits"))
    >>> teacher, student = (nn.Sequential(nn.Flatten(), nn.Linear(64, n), nn.ReLU(), nn.Linear(n, 10)) for n in (64, 8))
    >>> recipe = Recipe(epochs=3)
    >>> _ = fit(teacher, task, recipe, epochs=3, lr=recipe.lr, loss=cross_entropy, generator=torch.Generator().manual_seed(0))
    >>> len(distil(student, teacher, task, recipe, torch.Generator().manual_seed(0)))
    3

    Raises:
        ValueError: if a hint does not fit the networks, or `recipe` has an augmentation that does not
            go with the hints or the samples.
        DivergedError: if the loss of an epoch is not finite.
    """
    loss = Distillation(
        teacher,
        task.train.inputs,
        alpha,
        temperature,
        hints,
        [recipe.augmentation],
        kind=task.kind,
    )
    return fit(
        student, task, recipe, epochs=recipe.epochs, lr=recipe.lr, loss=loss, generator=generator
    )
