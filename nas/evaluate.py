"""From a genotype to measured facts: build, cost, fit, compress, fit, measure."""

import math
import time
import traceback
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from nas.compress import Compressor, compress
from nas.data import Task
from nas.lowering import lower, lower_all_channels, snapped
from nas.measure import Device, Measuring, costs
from nas.objective import Budget, Curve, Epoch, Evaluation, Status
from nas.packed import flash_bytes, pack, unpack
from nas.program import Program, score
from nas.seeds import candidate_seed, seeded
from nas.space import Design, Genotype, SearchSpace, present_name
from nas.strategy import Facts, Proposal
from nas.training.fit import Loss, Stop, accuracy, fit, never
from nas.training.recipe import Recipe
from nas.training.slimming import with_gain_penalty

CALIBRATION_SAMPLES = 256
DESIGNS_TRIED = 30


@dataclass(frozen=True)
class TrainedCandidate:
    """What is left of a candidate: the network, and the file that it became."""

    model: nn.Module
    packed: bytes


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """Evaluates candidates of one space on one task; what it finds depends on the seed and the
    candidate alone.
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
        """The evaluation, and what was trained if its status is OK; `stop` is shown the epochs of
        both phases as one curve.

        Whatever a candidate raises is its failure, told as the reason: one bad candidate must not
        end a search.
        """
        start = time.perf_counter()
        genotype = self.space.choices.canonical(proposal.genotype)
        design = self.space.choices.decode(genotype)
        metrics: Mapping[str, float] = {}
        history: tuple[Epoch, ...] = ()
        trained, status, reason = None, Status.OK, ""
        try:
            with seeded(candidate_seed(self.seed, genotype)):
                untrained, compressed = self._untrained(design)
                metrics = self._cost(compressed, self.device)
                if reason := self.budget.broken(metrics):
                    status = Status.OVER_BUDGET
                else:
                    model, history = self.train(untrained, design, genotype, proposal.epochs, stop)
                    planned = sum(self.recipe.phases(proposal.epochs))
                    if len(history) < planned:
                        status, reason = (
                            Status.STOPPED,
                            f"given up after {len(history)} of {planned} epochs",
                        )
                    else:
                        trained, metrics = self.finish(model, metrics)
        except Exception as error:
            trained, status = None, Status.FAILED
            place = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
        seconds = time.perf_counter() - start
        return Evaluation(
            id=id,
            genotype=genotype,
            design=design,
            status=status,
            reason=reason,
            metrics=metrics,
            seconds=seconds,
            epochs=proposal.epochs,
            history=history,
        ), trained

    def facts(self, genotype: Genotype) -> Facts:
        """What a candidate costs, as far as it can be told without training it, and always the
        same: without measured times.
        """
        device = None if isinstance(self.device, Measuring) else self.device
        try:
            with seeded(candidate_seed(self.seed, genotype)):
                costs = self._cost(self._untrained(self.space.choices.decode(genotype))[1], device)
        except (
            Exception
        ):  # the evaluation tells the reason, should a strategy propose it all the same
            return Facts({}, math.inf)
        known = Budget({name: limit for name, limit in self.budget.limits.items() if name in costs})
        return Facts(costs, known.excess(costs))

    def program(self, genotype: Genotype) -> Program:
        """The program of an untrained candidate.

        Raises:
            Exception: whatever building and compressing it raises.
        """
        return lower_all_channels(self.compressed(genotype), self.task.example)

    def compressed(self, genotype: Genotype) -> nn.Module:
        """A candidate as it is built and compressed, before it is trained.

        Raises:
            Exception: whatever building and compressing it raises.
        """
        with seeded(candidate_seed(self.seed, genotype)):
            return self._untrained(self.space.choices.decode(genotype))[1]

    def _untrained(self, design: Design) -> tuple[nn.Module, nn.Module]:
        """The network, as it is built and as it is compressed."""
        built = self.space.build(design, self.task.example, self.task.classes)
        return built, compress(built, design, self.compressors, self.task.example)

    def _cost(self, model: nn.Module, device: Device | None) -> dict[str, float]:
        """What a compressed network costs, trained or not; its size is the most that its file can
        have.

        Raises:
            ValueError: if the network has no integer form, or its logits have another shape than
                the task's classes.
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
        """Fits the network, compresses it and fits it again, unless `stop` ends it before.

        Both phases see their batches in an order of their own.
        """
        before, after = self.recipe.phases(epochs)
        shuffle = torch.Generator().manual_seed(candidate_seed(self.seed, genotype))
        fitted = partial(fit, task=self.task, recipe=self.recipe, generator=shuffle)
        loss = with_gain_penalty(self.loss, model, self.recipe.gain_penalty)
        history = fitted(model, epochs=before, lr=self.recipe.lr, loss=loss, stop=stop)
        if len(history) < before:
            return model, history

        def in_all(reached: Curve) -> bool:
            return stop((*history, *reached))

        model = compress(model, design, self.compressors, self._calibration)
        return model, history + fitted(
            model, epochs=after, lr=self.recipe.finetune_lr, loss=self.loss, stop=in_all
        )

    def finish(
        self, model: nn.Module, counted: Mapping[str, float]
    ) -> tuple[TrainedCandidate, dict[str, float]]:
        """The file that a trained network becomes, and the metrics: the length of that file, and
        its accuracy when loaded.

        Raises:
            ValueError: if the network is not what its costs were counted for.
        """
        program = lower(snapped(model), self._calibration)
        packed = pack(program)
        found = {
            "flash_bytes": flash_bytes(program),
            "macs": program.macs,
            "peak_memory_bytes": program.peak_memory,
        }
        # Training may leave dead channels, which are taken out. But more than was counted could be
        # over budget.
        changed = [
            f"{name} {counted[name]:g} became {value:g}"
            for name, value in found.items()
            if value > counted[name]
        ]
        if changed:
            raise ValueError(f"costs must not rise in training, but {', '.join(changed)}")
        reached = {
            "accuracy": score(unpack(packed), self.task.validation),
            "accuracy_fake_quant": accuracy(model, self.task.validation),
        }
        measured = {name: float(value) for name, value in found.items()}
        return TrainedCandidate(model, packed), {
            **reached,
            **counted,
            **measured,
            "size_bytes": float(len(packed)),
        }

    @property
    def _calibration(self) -> Tensor:
        return self.task.train.inputs[:CALIBRATION_SAMPLES]


class _WatchedDesign(Design):
    """A design that remembers which of its choices were read."""

    def __init__(self, design: Design, seen: set[str]) -> None:
        super().__init__(design)
        self._seen = seen

    def __getitem__(self, name: str) -> Hashable:
        self._seen.add(name)
        return super().__getitem__(name)


def check_kinds(
    space: SearchSpace, compressors: Sequence[Compressor], task: Task, rng: np.random.Generator
) -> None:
    """Builds a few designs, to see that every kind of choice has somebody who heeds it.

    Raises:
        ValueError: if neither `build` nor a compressor uses a kind of choice that is in the space.
        Exception: whatever `build` raises, if it does so for each of these designs.
    """
    choices, seen, built = space.choices, set[str](), 0
    kinds = {choice.kind for choice in choices}
    applied = {present_name(compressor.kind) for compressor in compressors}
    failure: Exception | None = None
    for _ in range(DESIGNS_TRIED):
        design = choices.decode(choices.sample(rng))
        try:
            with seeded(0):
                space.build(_WatchedDesign(design, seen), task.example, task.classes)
            built += 1
        except Exception as error:
            failure = error
        used = {present_name(name).rpartition(".")[2] for name in seen}
        if built and kinds <= used | applied:
            return
    if failure is not None and not built:
        raise failure
    unused = sorted(kinds - used - applied)
    raise ValueError(
        f"every kind of choice must be read by build() or applied by a compressor, but {unused} are not: "
        f"build() of {type(space).__name__} reads {sorted(used)} and the compressors apply {sorted(applied)}"
    )
