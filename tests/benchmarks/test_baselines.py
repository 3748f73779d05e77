from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.baselines import BASELINES, SPACE, Baseline, main, row
from benchmarks.trained.tasks import fashion_mnist
from nas.seeds import seeded
from nas.training.recipe import Recipe
from search_spaces.blocks import Residual

EXAMPLE = torch.zeros(1, 1, 28, 28)
SHORT = Recipe(epochs=1, finetune_epochs=1)

# The bits, the shape of each layer's weights, [out, in, height, width], the residual blocks, and the
# number of parameters.
LARGEST = (
    "16,1,3,3 16,16,3,3 32,16,3,3 48,32,3,3 48,48,3,3 48,1,3,3 48,48,1,1 10,48",
    "stage0.block1 stage2.block1 stage2.block2",
    45_354,
)
SMALL = ("8,1,3,3 8,8,3,3 12,8,3,3 16,12,3,3 10,16", "stage0.block1", 3_498)
MADE_BY_HAND = {
    "16kB": (3, *LARGEST),
    "16kB-taught": (3, *LARGEST),
    "6kB": (
        3,
        "12,1,3,3 12,12,3,3 24,12,3,3 32,24,3,3 32,1,3,3 32,32,1,1 10,32",
        "stage0.block1 stage2.block1",
        12_838,
    ),
    "2.8kB": (
        3,
        "8,1,3,3 8,8,3,3 16,8,3,3 24,16,3,3 24,1,3,3 24,24,1,1 10,24",
        "stage0.block1 stage2.block1",
        6_506,
    ),
    **{f"1.5kB-{bits}bits": (bits, *SMALL) for bits in (8, 4, 3, 2)},
    "0.7kB": (2, "6,1,3,3 6,6,3,3 8,6,3,3 12,8,3,3 10,12", "stage0.block1", 1_868),
}


@pytest.mark.parametrize("name", BASELINES)
def test_a_network_made_by_hand_is_a_point_of_the_space(name: str) -> None:
    design, (bits, weights, residual, parameters) = BASELINES[name].design, MADE_BY_HAND[name]
    choices = SPACE.choices
    assert dict(choices.decode(choices.encode(design))) == dict(design)
    assert {option for choice, option in design.items() if choice.endswith(".bits")} == {bits}
    with seeded(0):
        model = SPACE.build(design, EXAMPLE, 10).eval()
    modules = dict(model.named_modules())
    layers = [m for m in modules.values() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert [",".join(map(str, layer.weight.shape)) for layer in layers] == weights.split()
    sums = [path for path, module in modules.items() if isinstance(module, Residual)]
    assert sums == residual.split()
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize("name", BASELINES)
def test_maps_are_pooled_to_14_and_7_pixels_by_the_first_two_stages(name: str) -> None:
    with seeded(0):
        model = SPACE.build(BASELINES[name].design, EXAMPLE, 10).eval()
    said, sides = EXAMPLE, []
    for stage in range(3):
        said = model.get_submodule(f"stage{stage}")(said)
        sides.append(said.shape[-1])
    assert sides == [14, 7, 7]
    assert [path for path, m in model.named_modules() if isinstance(m, nn.MaxPool2d)] == [
        "stage0.pool",
        "stage1.pool",
    ]


def test_a_row_has_the_bytes_and_the_accuracies_of_the_file(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = Recipe(epochs=4, finetune_epochs=2, batch_size=16, lr=2e-2, finetune_lr=1e-2)
    monkeypatch.setitem(BASELINES, "0.7kB", replace(BASELINES["0.7kB"], recipe=quick))
    main(["--data", str(data), "--samples", "160", "--only", "0.7kB"])
    heading, _, line = capsys.readouterr().out.splitlines()
    assert heading.startswith("|  | bytes | validation accuracy | test accuracy | minutes |")
    name, size, *accuracies, _ = (cell.strip() for cell in line.strip("|").split("|"))
    assert name == "0.7kB"
    assert 500 <= int(size) <= 900
    assert all(float(accuracy) > 0.3 for accuracy in accuracies)


def test_a_network_is_taught_by_itself_in_floats(data: Path, tmp_path: Path) -> None:
    baseline = Baseline(BASELINES["0.7kB"].design, SHORT, taught=True)
    task = fashion_mnist(data)
    teacher = baseline.experiment(task, 0).teacher
    assert teacher is not None
    assert teacher.epochs == SHORT.epochs
    assert teacher.build(EXAMPLE, 10).state_dict().keys() == (
        SPACE.build(baseline.design, EXAMPLE, 10).state_dict().keys()
    )
    assert row("taught", baseline, task, 0, tmp_path / "run").startswith("| taught | ")
    assert len(list(tmp_path.glob("run/teacher-*"))) == 1


def test_a_training_that_fails_has_no_row(data: Path, tmp_path: Path) -> None:
    diverging = replace(BASELINES["0.7kB"], recipe=replace(SHORT, lr=1e30))
    with pytest.raises(RuntimeError, match="hopeless must give a file, but failed: Diverged"):
        row("hopeless", diverging, fashion_mnist(data), 0, tmp_path / "run")
