from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import Compressor
from nas.data import Task
from nas.evaluation.kinds import check_kinds
from nas.space import Choice, Choices, Design
from tests.nas.evaluators import Space


def kinds(space: Any, compressors: Sequence[Compressor], task: Task) -> None:
    check_kinds(space, compressors, task, np.random.default_rng(0))


def test_kinds_that_are_read_or_applied_are_well(tiny_task: Task) -> None:
    kinds(Space(), (Quantization(),), tiny_task)
    kinds(Space(), (ChannelPruning(), Quantization()), tiny_task)


def test_a_kind_that_no_part_uses_is_refused_with_both_sets(tiny_task: Task) -> None:
    message = (
        r"every kind of choice must be read by build\(\) or applied by a compressor, but \['bits'\] are not: "
        r"build\(\) of Space reads \['depth', 'width'\] and the compressors apply \['prune'\]"
    )
    with pytest.raises(ValueError, match=message):
        kinds(Space(), (ChannelPruning(),), tiny_task)


@pytest.mark.parametrize("look", ["items", "get", "in", "dict", "values"])
def test_every_way_of_reading_a_design_counts(tiny_task: Task, look: str) -> None:
    class Reading(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            reads: dict[str, Any] = {
                "items": lambda: list(design.items()),
                "get": lambda: [design.get("head.bits"), design.get("hidden.bits")],
                "in": lambda: ["head.bits" in design],
                "dict": lambda: [dict(design)],
                "values": lambda: list(design.values()),
            }
            reads[look]()
            return super().build(design, example, classes)

    kinds(Reading(), (), tiny_task)


def test_a_kind_that_only_some_designs_read_is_found(tiny_task: Task) -> None:
    class Rare(Space):
        choices = Choices(
            [
                Choice("", "depth", (1, 2)),
                Choice("hidden", "width", (4, 8), ("depth", frozenset({2}))),
            ]
        )

        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            if design["depth"] == 2 and torch.rand(()) < 0:
                raise RuntimeError("never")
            return super().build(design, example, classes)

    for seed in range(10):
        check_kinds(Rare(), (), tiny_task, np.random.default_rng(seed))


def test_one_design_that_cannot_be_built_does_not_stop_the_check_but_all_do(
    tiny_task: Task,
) -> None:
    class Fragile(Space):
        def __init__(self, fails: Iterator[bool]) -> None:
            self.fails = fails

        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            if next(self.fails):
                raise ZeroDivisionError("too thin")
            return super().build(design, example, classes)

    kinds(Fragile(iter([True, False] * 15)), (Quantization(),), tiny_task)
    with pytest.raises(ZeroDivisionError, match="too thin"):
        kinds(Fragile(iter([True] * 30)), (Quantization(),), tiny_task)


def test_looking_at_kinds_leaves_the_global_generator_as_it_was(tiny_task: Task) -> None:
    before = torch.get_rng_state()
    kinds(Space(), (Quantization(),), tiny_task)
    assert torch.equal(torch.get_rng_state(), before)
