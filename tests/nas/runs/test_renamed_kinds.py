"""Runs that were begun when the kind `codebook_size` was called `codes` are read and continued."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from compressors.quantization import Quantization
from compressors.sharing import Sharing
from nas.compress import compress, settings_of
from nas.data import Task
from nas.experiment import Experiment
from nas.kinds import check_kinds
from nas.objective import Objective
from nas.runs.directory import RunDirectoryError
from nas.runs.journal import read_journal
from nas.runs.run import run
from nas.space import Choice, Choices, Design
from nas.testing.compressor import check_compressor
from nas.training.recipe import Recipe
from strategies.random_search import RandomSearch

JOURNAL = Path(__file__).parent / "golden" / "codes.jsonl"
"""What the software of November 2026 wrote about two candidates of `Former`."""


class Former:
    """A space as it was written before."""

    choices = Choices(
        [
            Choice("1", "codes", (0, 4)),
            Choice("1", "bits", (3, 8), ("1.codes", frozenset({4}))),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(example[0].numel(), classes))


class Present(Former):
    """The same space in today's words."""

    choices = Choices(
        [
            Choice("1", "codebook_size", (0, 4)),
            Choice("1", "bits", (3, 8), ("1.codebook_size", frozenset({4}))),
        ]
    )


def experiment(task: Task) -> Experiment:
    return Experiment(
        space=Former(),
        compressors=(Sharing(), Quantization()),
        task=task,
        recipe=Recipe(epochs=0, finetune_epochs=0),
        objective=Objective(minimize=("size_bytes",)),
        strategy=RandomSearch,
        trials=2,
        seed=0,
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "journal.jsonl").write_bytes(JOURNAL.read_bytes())
    return tmp_path


def test_a_space_of_either_name_is_the_same_space() -> None:
    assert Former.choices == Present.choices
    assert [choice.name for choice in Former.choices] == ["1.codebook_size", "1.bits"]
    recorded = json.loads(JOURNAL.read_text().splitlines()[0])["record"]["experiment"]
    assert Former.choices.digest == Present.choices.digest == recorded["space"]["choices"]
    assert Choices([Choice("1", "code", (0, 4))]).digest != Choices([Former.choices[0]]).digest
    with pytest.raises(ValueError, match=r"must be unique, but '1\.codebook_size' appears twice"):
        Choices([Former.choices[0], replace(Present.choices[0], options=(0, 8))])


def test_designs_are_read_by_either_name() -> None:
    design = Former.choices.decode((1, 0))
    assert dict(design) == {"1.codebook_size": 4, "1.bits": 3}
    assert design.integer("1.codes") == design["1.codebook_size"] == 4
    assert "1.codes" in design
    assert Present.choices.encode({"1.codes": 4, "1.bits": 3}) == (1, 0)
    assert Design({"codes": 16}) == Design({"codebook_size": 16})


def test_compressors_are_given_choices_of_either_name(tiny_task: Task) -> None:
    for design in ({"1.codes": 4}, {"1.codebook_size": 4}):
        for kind in ("codes", "codebook_size"):
            assert settings_of(design, kind) == {"1": 4}
            network = Present().build(Design(design), tiny_task.example, 3)
            shared = compress(network, design, [Sharing(kind)], tiny_task.example)
            weight = shared.get_submodule("1").weight
            assert isinstance(weight, Tensor)
            assert len(weight.unique()) == 4  # type: ignore[no-untyped-call]
    for compressor in (Sharing(), Sharing("codes")):
        rng = np.random.default_rng(0)
        check_kinds(Former(), (compressor, Quantization()), tiny_task, rng)
        check_compressor(compressor, Former(), tiny_task.train.inputs[:4], 3, rng)


def test_a_journal_from_before_has_the_present_names(out: Path) -> None:
    header, evaluations = read_journal(out)
    assert [compressor["kind"] for compressor in header["experiment"]["compressors"]] == [
        "codebook_size",
        "bits",
    ]
    assert [evaluation.design for evaluation in evaluations] == [
        Former.choices.decode(evaluation.genotype) for evaluation in evaluations
    ]
    assert {name for evaluation in evaluations for name in evaluation.design} == {
        "1.codebook_size",
        "1.bits",
    }


def test_a_run_from_before_is_continued(tiny_task: Task, out: Path) -> None:
    recorded = JOURNAL.read_bytes()
    found = run(replace(experiment(tiny_task), trials=3), out)
    assert len(found.evaluations) == 3
    assert (out / "journal.jsonl").read_bytes().startswith(recorded)
    assert len((out / "journal.jsonl").read_bytes()) > len(recorded)
    with pytest.raises(RunDirectoryError, match="must be resumed with the experiment"):
        run(replace(experiment(tiny_task), compressors=(Sharing(), Quantization(3))), out)
