"""nas space and nas check on an experiment of the user's."""

from pathlib import Path

import pytest

from nas.cli.main import main
from nas.cli.metrics import count_text
from nas.cli.space import choices_table
from nas.space import AnyOf, Choice, Choices

SCRIPT = """
import torch
from torch import nn

import compressors, nas, strategies
from nas.data import Split


class Tiny:
    choices = nas.Choices(
        [nas.Choice("fc", "width", (4, 8)), nas.Choice("fc", "bits", (2, 8), when=("fc.width", frozenset({8})))]
    )

    def build(self, design, example, classes):
        model = nn.Sequential(nn.Flatten())
        model.add_module("fc", nn.Linear(example[0].numel(), design.integer("fc.width")))
        model.add_module("head", nn.Linear(design.integer("fc.width"), classes BROKEN))
        return model


def tiny(size_bytes: int = 200, teacher: bool = False, seed: int = 0) -> nas.Experiment:
    images, labels = torch.rand(24, 1, 3, 3, generator=torch.Generator().manual_seed(0)), torch.arange(24) % 2
    split = Split(images, labels)
    return nas.Experiment(
        space=Tiny(),
        compressors=(compressors.Quantization(),),
        task=nas.Task(name="noise", train=split, validation=split, test=split, classes=2),
        recipe=nas.Recipe(epochs=1, finetune_epochs=1),
        objective=nas.Objective(budget=nas.Budget({"flash_bytes": size_bytes})),
        strategy=strategies.RandomSearch,
        trials=2 if teacher else 1,
        seed=seed,
    )
"""


def script(folder: Path, broken: str = "") -> str:
    (folder / "tiny_search.py").write_text(SCRIPT.replace("BROKEN", broken))
    return str(folder / "tiny_search.py")


def test_the_space_is_told_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    main(["space", script(tmp_path), "--designs", "5", "--size-bytes", "120"])
    text = capsys.readouterr().out
    assert text.startswith("3 designs of 2 choices")
    assert "fc.width is 8" in text
    costs = {line.split()[1]: line.split() for line in text.splitlines() if "│" in line}
    smallest, largest, limit = (float(costs["flash_bytes"][place]) for place in (3, 11, 13))
    assert (limit, smallest < largest) == (120, True)
    assert float(costs["macs"][11]) == 9 * 8 + 8 * 2
    assert "of 5 random designs are within the budget" in text


def test_sizes_stay_readable() -> None:
    assert (count_text(1200), count_text(3 * 10**40)) == ("1,200", "about 10^40")


def test_an_experiment_whose_parts_keep_their_contracts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["check", script(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{part}: keeps its contract"
        for part in ("space Tiny", "compressor Quantization", "strategy RandomSearch")
    ]


def test_a_breach_is_told_and_ends_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["check", script(tmp_path, "+ 1")])
    assert end.value.code == 1
    space, *_, strategy = capsys.readouterr().out.splitlines()
    assert space.startswith("space Tiny: ")
    assert "keeps its contract" not in space
    assert strategy == "strategy RandomSearch: keeps its contract"


def test_several_conditions_and_alternatives_are_shown() -> None:
    op, depth = ("op", frozenset({"conv"})), ("depth", frozenset({2, 3}))
    earlier = [Choice("", "op", ("conv", "pool")), Choice("", "depth", (1, 2, 3))]
    for when, shown in (
        ((op, depth), "depth is 2 or 3 and op is conv"),
        (AnyOf((op, depth)), "depth is 2 or 3, or op is conv"),
    ):
        table = choices_table(Choices([*earlier, Choice("", "bits", (4, 8), when)]))
        assert str([*table.columns[3].cells][-1]) == shown
