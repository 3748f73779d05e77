from pathlib import Path

from experiments.breast_cancer import breast_cancer
from experiments.options import SearchOptions
from nas.packed import unpack
from nas.program.operations import Gather
from nas.runs.directory import packed_path
from nas.runs.run import run


def test_a_search_finds_a_network_that_reads_few_measurements(tmp_path: Path) -> None:
    found = run(
        breast_cancer(
            SearchOptions(trials=4, size_bytes=160, epochs=10, finetune_epochs=5), "tree_importance"
        ),
        tmp_path,
    )
    assert found.best is not None
    assert found.best.metrics["size_bytes"] <= 160
    assert found.best.metrics["accuracy"] > 0.85
    trained = [evaluation for evaluation in found.evaluations if evaluation.history]
    fewer = [e for e in trained if e.design["hidden0.features"] != 30]
    assert fewer
    for evaluation in fewer:
        first = unpack(packed_path(tmp_path, evaluation.id).read_bytes()).operations[0]
        assert isinstance(first, Gather)
        assert len(first.indices) == evaluation.design["hidden0.features"]
