"""A run is not resumed once `build` gives other networks."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.experiment import Experiment
from nas.objective import Evaluation
from nas.runs.built_networks import COUNT, BuiltNetworks
from nas.runs.directory import RunDirectoryError
from nas.runs.export import export
from nas.runs.journal import JOURNAL_NAME, read_journal
from nas.runs.journal_format import encode_line
from nas.runs.run import run
from nas.space import Choice, Choices, Design
from tests.nas.runs.experiments import Make


class Edited:
    """One hidden layer; what else `build` does is edited by tests, as people edit their files."""

    choices = Choices([Choice("hidden", "width", (4, 8)), Choice("hidden", "bits", (4, 8))])

    def __init__(self, edit: str = "") -> None:
        self._edit = edit

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        edit, width = self._edit, design.integer("hidden.width")
        width += 1 if edit == "wider" or (edit == "one option" and width == 8) else 0
        head = nn.Linear(width, classes)
        if edit == "initial weights":
            head.weight.data.mul_(2.0)
        if edit == "chance":
            head.weight.data.mul_(np.random.default_rng().random())
        if edit == "forward":
            head.register_forward_hook(lambda _, __, y: 2.0 * y)
        model = nn.Sequential(nn.Flatten())
        model.add_module("hidden", nn.Linear(example[0].numel(), width))
        model.add_module("act", nn.ReLU6() if edit == "activation" else nn.ReLU())
        model.add_module("drop", nn.Dropout(0.5 if edit == "dropout" else 0.1))
        model.add_module("head", head)
        return model


def evaluated(edit: str, make: Make, out: Path, trials: int = 2) -> Sequence[Evaluation]:
    return run(make(space=Edited(edit), trials=trials), out).evaluations


@pytest.mark.fault(80)
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("wider", r"hidden was Linear\(in_features=16, out_features=\d, .*; head was Linear"),
        ("one option", r"design hidden.width 8, .* was .*out_features=8, .* is .*out_features=9"),
        ("activation", r"act was ReLU\(\) and is ReLU6\(\)"),
        ("dropout", r"drop was Dropout\(p=0.1, .*\) and is Dropout\(p=0.5, .*\)"),
        ("initial weights", "the outputs on the first training sample with initial weights were"),
        ("forward", "the outputs on the first training sample with initial weights were"),
    ],
)
def test_a_run_whose_build_has_changed_is_refused_before_any_training(
    edit: str, message: str, tiny: Make, tmp_path: Path
) -> None:
    evaluated("", tiny, tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RunDirectoryError, match=f"must be used with the build.* {message}"):
        evaluated(edit, tiny, tmp_path, trials=4)
    assert files == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_run_whose_build_is_the_same_goes_on(tiny: Make, tmp_path: Path) -> None:
    evaluated("", tiny, tmp_path)
    assert len(evaluated("comments", tiny, tmp_path, trials=4)) == 4


def test_a_build_that_leaves_things_to_chance_is_compared_by_the_rest(
    tiny: Make, tmp_path: Path
) -> None:
    evaluated("chance", tiny, tmp_path)
    described = read_journal(tmp_path)[0]["networks"]
    assert all("layers" in each and "outputs" not in each for each in described)
    assert len(evaluated("chance", tiny, tmp_path, trials=4)) == 4
    with pytest.raises(RunDirectoryError, match="act was ReLU"):
        evaluated("activation", tiny, tmp_path, trials=4)


def test_runs_of_before_are_resumed_as_before(tiny: Make, tmp_path: Path) -> None:
    evaluated("", tiny, tmp_path)
    journal = tmp_path / JOURNAL_NAME
    first, *rest = journal.read_bytes().splitlines(keepends=True)
    header = json.loads(first)["record"]
    assert 0 < len(header["networks"]) <= min(COUNT, 4)
    del header["networks"]
    journal.write_bytes(encode_line(header) + b"".join(rest))
    assert len(evaluated("wider", tiny, tmp_path, trials=3)) == 3


def test_candidates_that_cannot_be_built_are_left_out(tiny: Make) -> None:
    class Broken(Edited):
        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            if design["hidden.width"] == 8:
                raise ValueError("too wide")
            return nn.Sequential(super().build(design, example, classes), nn.Linear(1, 1))

    described = BuiltNetworks(tiny(space=Broken())).describe()
    assert {each["genotype"][0] for each in described} == {0}
    assert all("layers" in each and "outputs" not in each for each in described)


def test_what_is_described_changes_nothing(tiny: Make) -> None:
    before = torch.get_rng_state()
    experiment: Experiment = tiny(space=Edited())
    digest = experiment.task.digest
    assert BuiltNetworks(experiment).describe() == BuiltNetworks(experiment).describe()
    assert torch.equal(torch.get_rng_state(), before)
    assert tiny(space=Edited()).task.digest == digest


def test_a_candidate_is_not_trained_again_by_another_build(
    tiny: Make, tmp_path: Path, retrained: Callable[[str, int], Experiment]
) -> None:
    evaluated("", tiny, tmp_path / "run")
    target = tmp_path / "c.nas"
    again = export(tmp_path / "run", "best", "packed", target, retrained("", 1))
    assert again.evaluation.metrics
    with pytest.raises(RunDirectoryError, match=re.escape("act was ReLU() and is ReLU6()")):
        export(tmp_path / "run", "best", "packed", target, retrained("activation", 1))


@pytest.fixture
def retrained(tiny: Make) -> Callable[[str, int], Experiment]:
    """An experiment that trains again with another seed, by a space that was edited."""
    return lambda edit, seed: tiny(space=Edited(edit), seed=seed)
