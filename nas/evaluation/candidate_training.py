"""How one candidate is trained: before compression and after it, and again once its file was shortened."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nas.compress import Compressor, compress
from nas.data import Task
from nas.evaluation.repair import REPAIR_EPOCHS, REPAIR_LR, repair
from nas.objective import Curve, Epoch
from nas.space import Choices, Design
from nas.training.early_stopping import GivingUp
from nas.training.fit import Loss, Stop, fit, never
from nas.training.rate import with_rate_penalty
from nas.training.recalibration import recalibrate
from nas.training.recipe import Recipe
from nas.training.shared_weights import SharedWeights
from nas.training.slimming import with_gain_penalty

Fit = Callable[..., tuple[Epoch, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class CandidateTraining:
    """How one candidate is trained.

    Args:
        design: of the candidate
        recipe: the candidate's own
        task: whose training split it learns
        loss: what is minimized, without the penalties of the recipe
        compressors: applied between the phases, in this order
        calibration: training inputs, [N, …], for the compressors
        seed: of the order of the samples
        shared: the weights that both phases start from (None: as they were initialized)
    """

    design: Design
    recipe: Recipe
    task: Task
    loss: Loss
    compressors: Sequence[Compressor]
    calibration: Tensor
    seed: int
    shared: SharedWeights | None = None

    def both_phases(
        self, model: nn.Module, epochs: float | None, stop: Stop = never
    ) -> tuple[nn.Module, tuple[Epoch, ...]]:
        """Fits the network, compresses it and fits it again, for `epochs` in all (None: those of the
        recipe), until `stop` gives it up.
        """
        before, after = self.recipe.phases(epochs)
        fit_by_recipe, recipe, stop = self._fitting(), self.recipe, GivingUp(stop)
        if self.shared is not None:
            self.shared.give(model)
            recalibrate(model, self.calibration)
        penalized = with_gain_penalty(self.loss, model, recipe.gain_penalty)
        history = fit_by_recipe(model, epochs=before, lr=recipe.lr, loss=penalized, stop=stop)
        if stop.gave_up:
            return model, history

        def stop_finetuning(finetuned: Curve) -> bool:
            return stop((*history, *finetuned))

        # So few epochs that all are quantized train from scratch, not on.
        lr = recipe.lr if before == 0 and recipe.epochs > 0 else recipe.finetune_lr
        model = compress(model, self.design, self.compressors, self.calibration)
        return model, history + self._finetuned(fit_by_recipe, model, after, lr, stop_finetuning)

    def finetune(self, model: nn.Module, epochs: int, stop: Stop = never) -> tuple[Epoch, ...]:
        """Fits a compressed network in place."""
        return self._finetuned(self._fitting(), model, epochs, self.recipe.finetune_lr, stop)

    def repaired(
        self, model: nn.Module, choices: Choices, size_bytes: float, epochs: int
    ) -> tuple[nn.Module, Design, tuple[Epoch, ...]]:
        """The network with shorter weights or fewer bits if its file became longer than `size_bytes`
        in `epochs` of fine-tuning, its design, and the curve of the epochs of this repair.
        """
        fit_by_recipe, lr = self._fitting(), REPAIR_LR * self.recipe.finetune_lr

        def recover(short: nn.Module, rate_penalty: float) -> tuple[Epoch, ...]:
            fewer, penalty = min(epochs, REPAIR_EPOCHS), max(rate_penalty, self.recipe.rate_penalty)
            loss = with_rate_penalty(self.loss, short, penalty)
            return fit_by_recipe(short, epochs=fewer, lr=lr, loss=loss)

        return repair(
            model,
            self.design,
            choices,
            self.compressors,
            self.calibration,
            size_bytes,
            recover,
            self.task.kind,
        )

    def _finetuned(
        self, fit_by_recipe: Fit, model: nn.Module, epochs: int, lr: float, stop: Stop
    ) -> tuple[Epoch, ...]:
        rated = with_rate_penalty(self.loss, model, self.recipe.rate_penalty)
        return fit_by_recipe(model, epochs=epochs, lr=lr, loss=rated, stop=stop)

    def _fitting(self) -> Fit:
        """`fit` by the recipe, with samples in an order of the candidate's own."""
        shuffle = torch.Generator().manual_seed(self.seed)
        return partial(fit, task=self.task, recipe=self.recipe, generator=shuffle)
