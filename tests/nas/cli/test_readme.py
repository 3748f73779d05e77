import re
from pathlib import Path

import pytest

from nas.objective import Status
from nas.runs.journal import read_journal
from tests.nas.cli.commands import ROOT, start


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


DATA, SPACE, CHECK, TO_SIZE = blocks("README.md")
_, ALLOCATED, TRAINED = blocks("docs/guides/trained.md")
(PRUNING,) = blocks("docs/guides/pruning.md")


NETWORK = """
import torch
from torch import nn

images, model = torch.rand(4, 1, 6, 6), nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
model.add_module("head", nn.Linear(128, 3))
"""


RESULTS = """
assert widths(smaller) == {"0": 4, "head": 3}
assert sparsities(sparse) == {"0": 64 / 72, "head": 0.5}
"""


LABELS = """
images, labels = torch.rand(60, 1, 6, 6), torch.arange(60) % 3
"""


def test_the_network_of_the_readme_is_compressed_to_a_size(tmp_path: Path) -> None:
    within = "assert len(small.packed) <= 1500\nassert '0.bits' in small.allocation.design\n"
    alone = "assert found.size_bytes <= 1500\nassert found.problem.layers.keys() == {'0', 'head'}\n"
    script = NETWORK + LABELS + TO_SIZE + within + ALLOCATED + alone
    (tmp_path / "to_size.py").write_text(script)
    assert start("to_size.py", cwd=tmp_path).wait() == 0


def test_the_pruning_of_the_guide_prunes(tmp_path: Path) -> None:
    (tmp_path / "pruning.py").write_text(NETWORK + PRUNING + RESULTS)
    assert start("pruning.py", cwd=tmp_path).wait() == 0


WEIGHTS = """
from safetensors.torch import save_file
from torch import nn

model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
save_file(model.state_dict(), "trained.safetensors")
"""


def test_the_trained_network_of_the_guide_is_compressed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "weights.py").write_text(WEIGHTS)
    (tmp_path / "mine.py").write_text(TRAINED)
    assert start("weights.py", cwd=tmp_path).wait() == 0
    assert start("-m", "nas", "run", "mine.py", "--trials", "2", cwd=tmp_path).wait() == 0
    evaluations = read_journal(tmp_path / "runs" / "mine")[1]
    assert [e.status for e in evaluations if e.history] == [Status.OK, Status.OK]
    assert {name.rpartition(".")[2] for e in evaluations for name in e.design} >= {"prune", "bits"}


def test_the_space_of_the_readme_runs_and_keeps_its_contract(tmp_path: Path) -> None:
    space, check = SPACE, CHECK
    assert len(space.splitlines()) <= 30
    (tmp_path / "my_search.py").write_text(space)
    (tmp_path / "check.py").write_text(check)
    checked = start("check.py", cwd=tmp_path)
    assert (
        start(
            "-m",
            "nas",
            "run",
            "my_search.py",
            "--size-bytes",
            "1500",
            "--trials",
            "2",
            cwd=tmp_path,
        ).wait()
        == 0
    )
    assert checked.wait() == 0
    assert len([e for e in read_journal(tmp_path / "runs" / "my_search")[1] if e.history]) == 2


@pytest.mark.slow
def test_the_data_of_the_readme_is_searched_and_scored(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.py").write_text(DATA)
    assert start("data.py", cwd=tmp_path).wait() == 0
    few = "--trials", "1", "--epochs", "2", "--finetune-epochs", "1", "--strategy", "random"
    for name, data, samples in (("table", "wine.csv", 36), ("series", "gestures.npz", 120)):
        run = f"runs/{name}"
        searched = start("-m", "nas", "run", name, "--data", data, *few, cwd=tmp_path)
        assert searched.wait() == 0
        assert start("-m", "nas", "export", run, "--out", "x.nas", cwd=tmp_path).wait() == 0
        score = start("-m", "nas", "score", "x.nas", "--data", data, "--run", run, cwd=tmp_path)
        assert score.wait() == 0
        assert f"{samples} samples: the test split of {data}" in capfd.readouterr().out
        (tmp_path / "x.nas").unlink()
