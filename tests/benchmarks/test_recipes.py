import pytest
import torch

from benchmarks import recipes
from benchmarks.recipes import NETWORKS, line, main, rows
from nas.data import Task
from nas.training.augmentation import AUGMENTATIONS
from nas.training.recipe import Recipe


@pytest.mark.parametrize(
    ("name", "about"), [("conv_3k", 3e3), ("conv_10k", 1e4), ("conv_50k", 5e4)]
)
def test_networks_have_the_size_of_their_names(name: str, about: float) -> None:
    model = NETWORKS[name](1, 10)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameters == pytest.approx(about, rel=0.1)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_each_row_changes_one_setting(tiny_task: Task) -> None:
    reference = Recipe(epochs=4, finetune_epochs=0)
    made = rows(reference, 3_000, tiny_task)
    assert next(iter(made)) == "reference"
    assert made["augmentation strong"] == Recipe(
        epochs=4, finetune_epochs=0, augmentation=AUGMENTATIONS["strong"]
    )
    changes = [recipe for name, recipe in made.items() if name != "recipe_for(3,000)"]
    assert len(changes) == len(set(changes)) == 16
    assert made["recipe_for(3,000)"].lr == 2e-2


def test_small_differences_are_called_noise() -> None:
    reference = [80.0, 82.0, 84.0]
    assert line("reference", reference, reference) == "| reference | 82.00 ± 1.15 |  |  |"
    assert line("a", [81.0, 83.0, 85.0], reference).endswith("| +1.00 ± 1.63 | noise |")
    assert line("b", [91.0, 93.0, 95.0], reference).endswith("| +11.00 ± 1.63 |  |")
    assert line("c", [91.0], [80.0]).endswith("| +11.00 ± nan | one seed |")


def test_the_table_is_printed(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(channels: int, classes: int) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, classes))

    some = {name: Recipe(epochs=1, lr=lr) for name, lr in (("reference", 0.1), ("fast", 0.2))}
    monkeypatch.setattr(recipes, "NETWORKS", {"conv_10k": build})
    monkeypatch.setattr(recipes, "fashion_mnist", lambda folder: tiny_task)
    monkeypatch.setattr(recipes, "rows", lambda *_: some)
    main(["--data", "nowhere", "--epochs", "1", "--seeds", "2", "--samples", "40"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "conv_10k, 51 parameters, 40 images, 1 epochs, 2 seeds"
    assert [row.split(" | ")[0] for row in printed[4:]] == ["| reference", "| fast"]
