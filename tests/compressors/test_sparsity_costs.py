from typing import Any

import numpy as np
import pytest
from torch import nn

from compressors.quantization import Quantization
from compressors.schedules import cubic, linear, one_shot
from compressors.sparsity import (
    WeightPruning,
    sparsify,
)
from nas.compress import compress
from nas.data import Task
from nas.evaluation.evaluator import Evaluator
from nas.lowering import lower_all_channels
from nas.mask import Schedule
from nas.measure import costs
from nas.objective import Budget, Status
from nas.packed import flash_bytes, pack
from nas.program import Layer
from nas.seeds import seeded
from nas.strategy import Proposal
from nas.training.fit import cross_entropy
from nas.training.recipe import Recipe
from tests.compressors.sparsity_networks import IMAGES, Space, network


def test_weights_that_are_not_yet_removed_are_not_in_the_program() -> None:
    model = sparsify(network(), 0.75, IMAGES, schedule=cubic)
    program = lower_all_channels(model, IMAGES)
    layers = [operation for operation in program.operations if isinstance(operation, Layer)]
    assert [np.count_nonzero(operation.weights.values) for operation in layers] == [18, 16, 24]
    assert len(pack(program)) <= flash_bytes(program)


def test_costs_are_those_of_the_kept_weights_and_follow_from_the_settings() -> None:
    sizes = {}
    for ratio in (0.0, 0.1, 0.5, 0.9):
        found = []
        for seed in (0, 1):
            built = network()
            with seeded(seed):
                nn.init.normal_(built.get_parameter("head.weight"))
            model = compress(
                built,
                {"head.sparsity": ratio, "head.bits": 4},
                [WeightPruning(schedule=linear), Quantization()],
                IMAGES,
            )
            found.append(costs(model, lower_all_channels(model, IMAGES)))
        assert found[0] == found[1]
        sizes[ratio] = found[0]
    dense = sizes[0.0]
    assert dense["params"] - sizes[0.5]["params"] == 48
    conv = compress(
        network(), {"b.sparsity": 0.5, "head.bits": 4}, [WeightPruning(), Quantization()], IMAGES
    )
    # 64 weights of 8 bits.
    assert dense["flash_bytes"] - costs(conv, lower_all_channels(conv, IMAGES))[
        "flash_bytes"
    ] == 64 - (8 + 32)
    # 96 weights of 4 bits, or a bit for each and 4 for each of the remaining ones.
    assert dense["flash_bytes"] - sizes[0.5]["flash_bytes"] == 48 - (12 + 24)
    assert sizes[0.1]["flash_bytes"] == dense["flash_bytes"]
    # With 10 weights left, a mask takes 12 + 5 bytes, and gaps of 7 bits the same: 10 * (7 + 4)
    # bits and 3 bytes.
    assert dense["flash_bytes"] - sizes[0.9]["flash_bytes"] == 48 - (12 + 5)
    assert {name: dense[name] for name in ("macs", "peak_memory_bytes")} == {
        name: sizes[0.9][name] for name in ("macs", "peak_memory_bytes")
    }


@pytest.mark.parametrize("schedule", [one_shot, cubic])
def test_a_sparse_candidate_fits_where_a_dense_one_does_not(
    schedule: Schedule, tiny_task: Task
) -> None:
    recipe = Recipe(epochs=1, finetune_epochs=2, batch_size=10)
    compressors = (WeightPruning(schedule=schedule), Quantization())
    seen: dict[int, Any] = {}
    for limits in ({}, {"size_bytes": 1000.0}):
        evaluator = Evaluator(
            space=Space(),
            compressors=compressors,
            task=tiny_task,
            recipe=recipe,
            budget=Budget(limits),
            device=None,
            loss=cross_entropy,
            seed=0,
        )
        for gene in (0, 1):
            seen[gene], trained = evaluator(0, Proposal((gene, 0, 0)))
            if limits and gene == 0:
                assert seen[gene].status is Status.OVER_BUDGET
            else:
                assert seen[gene].status is Status.OK, seen[gene].reason
                assert trained is not None
                assert len(trained.packed) <= seen[gene].metrics["flash_bytes"]
    dense, sparse = seen[0].metrics["flash_bytes"], seen[1].metrics["flash_bytes"]
    assert dense - sparse >= 64 * 16 // 2 - (64 * 16 // 8 + 103 // 2 + 1)
    assert seen[1].metrics["size_bytes"] <= 1000
