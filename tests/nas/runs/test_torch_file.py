"""Exported weights become the network that they were of."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nas import load_exported
from nas.experiment import Experiment
from nas.runs.export import export
from nas.runs.run import run
from nas.space import Choice, Choices
from nas.training.fit import logits
from tests.conftest import TinySpace


class OtherSpace(TinySpace):
    choices = Choices([Choice("", "depth", (1,)), Choice("head", "bits", (2, 3))])


def test_the_network_says_the_same_without_the_run(
    tiny: Callable[..., Experiment], tmp_path: Path
) -> None:
    experiment = tiny({"size_bytes": 160.0})
    result = run(experiment, tmp_path / "run")
    weights = tmp_path / "best.safetensors"
    export(tmp_path / "run", "best", "torch", weights)
    inputs = experiment.task.test.inputs
    wanted = logits(result.model(), inputs)
    shutil.rmtree(tmp_path / "run")
    model = load_exported(experiment, str(weights))
    assert not model.training
    assert torch.equal(logits(model, inputs), wanted)
    with pytest.raises(ValueError, match="of this experiment's space"):
        load_exported(tiny(space=OtherSpace()), weights)
    with pytest.raises(ValueError, match="weights of the network as safetensors"):
        load_exported(tiny(compressors=()), weights)
    beside = weights.with_name("best.safetensors.json")
    stored = json.loads(beside.read_text())
    for damaged in ("{", "[]", json.dumps({**stored, "genotype": [99]}), json.dumps({})):
        beside.write_text(damaged)
        with pytest.raises(ValueError, match=r"json must hold the design"):
            load_exported(experiment, weights)
