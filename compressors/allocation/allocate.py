"""The widths of a trained network and the bits of its layers, allocated under limits of cost."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from compressors.activation_bits import ActivationBits
from compressors.allocation.measured import measured, prepared
from compressors.allocation.problem import MACS, MEMORY, SIZE, Problem, Selected
from compressors.joint import joint_choices
from compressors.low_rank import LowRank
from compressors.quantization import Quantization
from compressors.reconstruction_pruning import ReconstructionPruning
from compressors.sparsity import WeightPruning
from nas import grids
from nas.compress import compress
from nas.lowering import lower_all_channels
from nas.measure.divergence import divergence, log_probabilities
from nas.packed import pack
from nas.quantize import match_statistics
from nas.space import Choices, Design

ROUNDS = 6
USED = 0.98
RATIOS = grids.uniform(0.0, 0.875, 8)
BITS = (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True, eq=False)
class Allocation:
    """A design for a trained network, and the network compressed by it.

    Args:
        design: the pruning ratio of each group of tied channels, the bits of each layer, and
            sparsities and ranks where there are any
        costs: `size_bytes`, the length of the packed file of `model`, `macs` and
            `peak_memory_bytes`
        divergence: of the output of `model` from that of the original, in nats
        problem: what could be chosen, and what it does to the output
        selected: what was chosen
        model: the compressed network, not trained
    """

    design: Design
    costs: Mapping[str, int]
    divergence: float
    problem: Problem
    selected: Selected
    model: nn.Module

    @property
    def size_bytes(self) -> int:
        """The length of the packed file of `model`."""
        return self.costs["size_bytes"]


def allocate(
    model: nn.Module,
    images: Tensor,
    *,
    size_bytes: int | None = None,
    macs: int | None = None,
    peak_memory_bytes: int | None = None,
    choices: Choices | None = None,
    method: Quantization | None = None,
    problem: Problem | None = None,
) -> Allocation:
    """Compresses a trained network so that it keeps its limits and its output changes as little as
    possible.

    What each layer's bits, sparsity and rank and each group's pruning do to the output is measured
    once, one at a time. The sum of the divergences is then minimized by integer programming over
    the bytes of entropy-coded weights, multiply-accumulates and memory (as HAWQ-V3 does with second
    derivatives for bits alone; Yao et al., 2021). Nothing is trained, and labels are not needed;
    what reads pruned channels is refitted by least squares.

    Args:
        model: The network. It is not changed.
        images: Inputs like those of the task, [N, …]; some hundred are enough.
        size_bytes: The longest that the packed file may be; None for any length.
        macs: The most multiply-accumulates for one sample.
        peak_memory_bytes: The most memory that activations may take at once.
        choices: What to choose from: kinds "prune" at groups of tied channels and "bits",
            "sparsity" and "rank" at single layers; other choices get their first option. By
            default, those of `joint_choices` with ratios by eighths.
        method: How weights and activations are quantized; by default as `Quantization` does.
        problem: That of an allocation of the same network with the same images, choices and method,
            so that nothing is measured again.

    >>> import torch
    >>> images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> small = allocate(model, images, size_bytes=600)
    >>> small.size_bytes <= 600, sorted(name for name in small.design if name.startswith("0"))
    (True, ['0.bits', '0.prune'])

    Raises:
        ValueError: if no limit is given, the smallest network breaks one, layers are quantized
            already, or a pruning choice covers several groups.
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    limits = {"size_bytes": size_bytes, "macs": macs, "peak_memory_bytes": peak_memory_bytes}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not given:
        raise ValueError(f"an allocation needs a limit, one of {tuple(limits)}, but got none")
    model, method = prepared(model, images), method or Quantization()
    choices = choices or joint_choices(model, images[:2], ratios=RATIOS, bits=BITS)
    problem = problem or measured(model, images, choices, method)
    wanted = log_probabilities(model, images)
    build = partial(_compressed, model, images, wanted, choices, method, problem)
    last = best = build(problem.smallest())
    if broken := {name: limit for name, limit in given.items() if best.costs[name] > limit}:
        found = ", ".join(f"{best.costs[name]:,} {name} for {broken[name]:,}" for name in broken)
        raise ValueError(
            f"the smallest network of these choices must be within the limits, but has {found}"
        )
    for _ in range(ROUNDS):
        # The limits of what is predicted, corrected by what was wrong about the last network.
        predicted = problem.costs(last.selected)
        most = {name: given[name] - (last.costs[name] - predicted[name]) for name in given}
        selected = problem.least_divergence(most)
        if selected is None or selected == last.selected:
            break
        last = build(selected)
        if all(last.costs[name] <= limit for name, limit in given.items()):
            best = min(best, last, key=lambda candidate: candidate.divergence)
            if any(last.costs[name] >= USED * limit for name, limit in given.items()):
                break
    return best


def _compressed(
    model: nn.Module,
    images: Tensor,
    wanted: Tensor,
    choices: Choices,
    method: Quantization,
    problem: Problem,
    selected: Selected,
) -> Allocation:
    """The network with the selected ratios and options; `wanted` are the log-probabilities of the
    original.
    """
    design = _design(choices, selected)
    pruned = compress(model, design, (ReconstructionPruning(),), images)
    compressors = LowRank(), WeightPruning(), method, ActivationBits(method.ranges)
    compressed = compress(pruned, design, compressors, images)
    match_statistics(compressed, pruned, images)
    program = lower_all_channels(compressed, images)
    costs = {SIZE: len(pack(program)), MACS: program.macs, MEMORY: program.peak_memory}
    reached = divergence(wanted, log_probabilities(compressed, images))
    return Allocation(design, costs, reached, problem, selected, compressed)


def _design(choices: Choices, selected: Selected) -> Design:
    """The selected options by the names of their choices, and the first ones of all others."""
    chosen: dict[str, Hashable] = {f"{site}.prune": r for site, r in selected.ratios.items()}
    for site, option in selected.options.items():
        chosen |= {f"{site}.{kind}": value for kind, value in option.settings.items()}
    return choices.decode(choices.complete(chosen))
