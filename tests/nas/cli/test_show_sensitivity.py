import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.cli.show import print_json, print_summary
from nas.data import Task
from nas.experiment import Experiment
from nas.measure.sensitivity import sensitivity
from nas.runs.retrain import restored
from nas.runs.run import run
from nas.runs.summary import sensitivities_of_best, summary
from nas.space import Choice, Choices, Design
from tests.nas.cli.summaries import RUN, write


def test_each_layer_of_the_best_is_shown_with_its_bits_and_the_accuracy_at_others(
    tiny: Callable[..., Experiment], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(experiment := tiny(trials=8), tmp_path)
    assert found.best is not None
    layers = sensitivities_of_best(tmp_path, experiment)
    bits = {
        name.removesuffix(".bits"): value
        for name, value in found.best.design.items()
        if name.endswith(".bits")
    }
    assert {name: layer["bits"] for name, layer in layers.items()} == bits
    model = restored(experiment, tmp_path, found.best)
    validation = experiment.task.validation
    for layer in layers.values():
        for name in ("size_bytes", "divergence", "accuracy"):
            assert list(layer[name]) == [1, 2, 3, 4, 6, 8]
        # With the bits that it has, the network is what it is.
        assert layer["accuracy"][layer["bits"]] == found.best.metrics["accuracy_fake_quant"]
        assert layer["divergence"][layer["bits"]] == 0.0
    for name, row in sensitivity(model, validation, (1, 2, 3, 4, 6, 8)).items():
        for width, measured in row.items():
            assert {key: layers[name][key][width] for key in asdict(measured)} == asdict(measured)
    print_json(tmp_path, layers)
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("sensitivity") == json.loads(json.dumps(layers))
    assert shown == summary(tmp_path)
    console = Console(width=300)
    with console.capture() as capture:
        print_summary(tmp_path, console, layers)
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in capture.get().splitlines()
        if line.startswith("│")
    ][-6 * len(layers) :]
    assert rows == [
        [
            name,
            f"{width}{'*' * (width == layer['bits'])}",
            f"{layer['size_bytes'][width]:,}",
            f"{layer['divergence'][width]:.5f}",
            f"{layer['accuracy'][width]:.4f}",
        ]
        for name, layer in layers.items()
        for width in (1, 2, 3, 4, 6, 8)
    ]
    assert "sensitivity" not in summary(tmp_path)


def test_bits_that_are_no_column_yet_become_one(
    tiny: Callable[..., Experiment], tmp_path: Path
) -> None:
    class Fives:
        choices = Choices(
            [
                Choice("", "depth", (2,)),
                Choice("hidden", "width", (4,)),
                Choice("head", "bits", (5,)),
            ]
        )

        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            return tiny().space.build(design, example, classes)

    run(experiment := tiny(space=Fives(), trials=1), tmp_path)
    layers = sensitivities_of_best(tmp_path, experiment)
    assert list(layers["head"]["accuracy"]) == [1, 2, 3, 4, 5, 6, 8]
    assert {name: layer["bits"] for name, layer in layers.items()} == {"hidden": None, "head": 5}


def test_only_the_experiment_of_a_run_can_measure_its_layers(
    tiny: Callable[..., Experiment], tmp_path: Path, tiny_task: Task
) -> None:
    run(experiment := tiny({"size_bytes": 160.0}, trials=2), tmp_path / "run")
    with pytest.raises(
        ValueError, match=r"by the experiment that found it, but compressors was .*8.* and is .*4"
    ):
        sensitivities_of_best(
            tmp_path / "run", tiny(compressors=(Quantization(activation_bits=4),))
        )
    for path in (tmp_path / "run" / "weights").iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(
        ValueError,
        match=r"weights/0000\d.npz must hold the weights of candidate \d, but is missing, damaged",
    ):
        sensitivities_of_best(tmp_path / "run", experiment)
    write(tmp_path / "over", [RUN[1]])
    with pytest.raises(ValueError, match="over must be within the budget, but nothing is"):
        sensitivities_of_best(tmp_path / "over", experiment)
