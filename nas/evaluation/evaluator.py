"""From a genotype to measured facts: build, cost, fit, compress, fit, lower, pack, measure."""

import inspect
import math
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nas.compress import Compressor, compress
from nas.data import Task
from nas.lowering import lower, lower_all_channels, snapped
from nas.measure import Device, MeasuringDevice, costs
from nas.objective import Budget, Curve, Epoch, Evaluation, Status
from nas.packed import flash_bytes, pack, unpack
from nas.program import Program, score
from nas.seeds import candidate_seed, seeded
from nas.space import Design, Genotype, SearchSpace
from nas.strategy import Facts, Proposal
from nas.training.fit import Loss, Stop, accuracy, fit, never
from nas.training.rate import with_rate_penalty
from nas.training.recipe import Recipe
from nas.training.slimming import with_gain_penalty

CALIBRATION_SAMPLES = 256


@dataclass(frozen=True)
class TrainedCandidate:
    """A trained network, and the bytes of the packed file made of it."""

    model: nn.Module
    packed: bytes


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """Evaluates candidates of one space on one task; results depend only on the seed and the
    candidate.

    `space` builds networks and `compressors` are applied to them, in this order. Networks are
    trained with `loss` on the training split of `task`, as `recipe` says, and scored on its
    validation split. A candidate whose costs exceed `budget` is not trained. `device` gives the
    latency (None: latency is not measured). `seed` is the seed of the run, from which that of each
    candidate is derived.
    """

    space: SearchSpace
    compressors: Sequence[Compressor]
    task: Task
    recipe: Recipe
    budget: Budget
    device: Device | None
    loss: Loss
    seed: int

    def __call__(
        self, id: int, proposal: Proposal, stop: Stop = never
    ) -> tuple[Evaluation, TrainedCandidate | None]:
        """The evaluation, and the trained candidate if its status is OK.

        `stop` sees the epochs before and after compression as one curve. An exception that a
        candidate raises makes it FAILED with that reason, so that one bad candidate cannot end a
        search.
        """
        start = time.perf_counter()
        genotype = self.space.choices.canonical(proposal.genotype)
        design = self.space.choices.decode(genotype)
        metrics: Mapping[str, float] = {}
        history: tuple[Epoch, ...] = ()
        trained, status, reason = None, Status.OK, ""
        try:
            with seeded(candidate_seed(self.seed, genotype)):
                built, compressed = self._build(design)
                metrics = self._costs(compressed, self.device)
                if reason := self.budget.broken(metrics):
                    status = Status.OVER_BUDGET
                else:
                    model, history = self.train(built, design, genotype, proposal.epochs, stop)
                    planned = sum(self.recipe.phases(proposal.epochs))
                    if len(history) < planned:
                        status = Status.STOPPED
                        reason = f"given up after {len(history)} of {planned} epochs"
                    else:
                        trained, metrics = self.measure(model, metrics)
        except Exception as error:
            trained, status, reason = None, Status.FAILED, _reason(error)
        evaluation = Evaluation(
            id=id,
            genotype=genotype,
            design=design,
            status=status,
            reason=reason,
            metrics=metrics,
            seconds=time.perf_counter() - start,
            epochs=proposal.epochs,
            history=history,
        )
        return evaluation, trained

    def _build(self, design: Design) -> tuple[nn.Module, nn.Module]:
        """The untrained network, as it is built and as it is compressed."""
        built = self.space.build(design, self.task.example, self.task.classes)
        return built, compress(built, design, self.compressors, self.task.example)

    def _costs(self, model: nn.Module, device: Device | None) -> dict[str, float]:
        """The costs of a compressed network, trained or not; `size_bytes` is an upper bound.

        Raises:
            ValueError: if the network has no integer program, or does not give one logit for each
                class.
        """
        program = lower_all_channels(model, self.task.example)
        if program.tensors[-1].shape != (self.task.classes,):
            found = program.tensors[-1].shape
            raise ValueError(
                f"a network must give logits [N, {self.task.classes}], but for one sample it gives {list(found)}"
            )
        return costs(model, program, device)

    def train(
        self,
        model: nn.Module,
        design: Design,
        genotype: Genotype,
        epochs: float | None,
        stop: Stop = never,
    ) -> tuple[nn.Module, tuple[Epoch, ...]]:
        """Fits the network, compresses it and fits it again, until `stop` gives it up.

        The samples are shuffled by a generator of the candidate's own seed.
        """
        before, after = self.recipe.phases(epochs)
        shuffle = torch.Generator().manual_seed(candidate_seed(self.seed, genotype))
        fit_by_recipe = partial(fit, task=self.task, recipe=self.recipe, generator=shuffle)
        penalized = with_gain_penalty(self.loss, model, self.recipe.gain_penalty)
        history = fit_by_recipe(model, epochs=before, lr=self.recipe.lr, loss=penalized, stop=stop)
        if len(history) < before:
            return model, history

        def stop_finetuning(finetuned: Curve) -> bool:
            return stop((*history, *finetuned))

        model = compress(model, design, self.compressors, self._calibration)
        rated = with_rate_penalty(self.loss, model, self.recipe.rate_penalty)
        return model, history + fit_by_recipe(
            model,
            epochs=after,
            lr=self.recipe.finetune_lr,
            loss=rated,
            stop=stop_finetuning,
        )

    def measure(
        self, model: nn.Module, counted: Mapping[str, float]
    ) -> tuple[TrainedCandidate, dict[str, float]]:
        """Lowers and packs a trained network; its metrics are those of the packed file, loaded
        again.

        Raises:
            ValueError: if a cost is above the one `counted` before training.
        """
        program = lower(snapped(model), self._calibration)
        packed = pack(program)
        lowered = {
            "flash_bytes": flash_bytes(program),
            "macs": program.macs,
            "peak_memory_bytes": program.peak_memory,
        }
        # Lowering takes out channels that died in training, so costs may fall. A cost that rises
        # may be over a budget that was checked before.
        risen = [
            f"{name} {counted[name]:g} became {value:g}"
            for name, value in lowered.items()
            if value > counted[name]
        ]
        if risen:
            raise ValueError(f"costs must not rise in training, but {', '.join(risen)}")
        return TrainedCandidate(model, packed), {
            "accuracy": score(unpack(packed), self.task.validation),
            "accuracy_fake_quant": accuracy(model, self.task.validation),
            **counted,
            **{name: float(value) for name, value in lowered.items()},
            "size_bytes": float(len(packed)),
        }

    @property
    def _calibration(self) -> Tensor:
        return self.task.train.inputs[:CALIBRATION_SAMPLES]

    def facts(self, genotype: Genotype) -> Facts:
        """The costs of a candidate before training.

        The latency is left out if the device measures it: facts must be the same each time.
        """
        device = None if isinstance(self.device, MeasuringDevice) else self.device
        try:
            with seeded(candidate_seed(self.seed, genotype)):
                _, compressed = self._build(self.space.choices.decode(genotype))
                counted = self._costs(compressed, device)
        except Exception:  # if the candidate is proposed, its evaluation gives the reason
            return Facts({}, math.inf)
        limits = {name: most for name, most in self.budget.limits.items() if name in counted}
        return Facts(counted, Budget(limits).excess(counted))

    def compressed(self, genotype: Genotype) -> nn.Module:
        """The untrained network of a candidate, compressed.

        Raises:
            Exception: what building or compressing it raises.
        """
        with seeded(candidate_seed(self.seed, genotype)):
            return self._build(self.space.choices.decode(genotype))[1]

    def program(self, genotype: Genotype) -> Program:
        """The integer program of an untrained candidate.

        Raises:
            Exception: what building, compressing or lowering it raises.
        """
        return lower_all_channels(self.compressed(genotype), self.task.example)


def _reason(error: Exception) -> str:
    """The type and text of an error, and where it was raised: in the code that read a design, if a
    reader of the design raised it.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = next(frame for frame in reversed(frames) if frame.filename != inspect.getfile(Design))
    return f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
