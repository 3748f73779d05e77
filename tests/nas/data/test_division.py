from pathlib import Path

import numpy as np
import pytest
import torch

from nas.data import DataError, Split, Task
from nas.data.division import Division, divided
from nas.data.load import load_task
from nas.data.scored import held_out, load_scored
from nas.seeds import generator

LABELS = torch.arange(60) % 3
DATA = Split(torch.arange(60.0)[:, None], LABELS)


def made(division: Division) -> Task:
    return divided("d", DATA, 3, generator(0, "data"), division)


def rows(task: Task) -> list[list[int]]:
    return [part.inputs[:, 0].int().tolist() for part in (task.train, task.validation, task.test)]


def test_named_parts_are_those_of_the_data() -> None:
    part = ["train", " Val ", "TEST"] * 20
    # Each part would have one class only, were the labels not others.
    data = Split(DATA.inputs, torch.arange(60) // 3 % 2)
    task = divided("d", data, 2, generator(0, "data"), Division(part=part))
    assert rows(task) == [[*range(start, 60, 3)] for start in range(3)]


def test_a_tenth_is_held_out_where_no_sample_is_for_validation() -> None:
    train, validation, test = rows(made(Division(part=["train"] * 50 + ["test"] * 10)))
    assert test == [*range(50, 60)]
    assert (len(train), len(validation)) == (45, 5)


def test_samples_of_one_group_stay_together() -> None:
    groups = [f"patient {number // 4}" for number in range(60)]
    parts = rows(made(Division(group=groups)))
    found = [{groups[row] for row in part} for part in parts]
    assert sum(map(len, found)) == len(set(groups))
    assert [len(part) for part in parts] == [36, 12, 12]
    assert parts == rows(made(Division(group=groups)))
    # Groups are heeded too where only the test is named.
    named = rows(made(Division(part=["test"] * 8 + ["train"] * 52, group=groups)))
    assert named[2] == [*range(8)]
    assert not {groups[row] for row in named[0]} & {groups[row] for row in named[1]}


@pytest.mark.parametrize(
    ("division", "message"),
    [
        (Division(part=["train"] * 59 + ["best"]), "but sample 59 is of 'best'"),
        (
            Division(part=["train"] * 60),
            "must have samples for train and test, but none is for test",
        ),
        (
            Division(group=["a", ""] * 30),
            "d must have a group for each sample, but sample 1 has none",
        ),
        (
            Division(group=["a", "b", "c"] * 20),
            "d must have at least 5 groups .* for test, but has 3",
        ),
    ],
)
def test_what_cannot_be_divided_is_refused(division: Division, message: str) -> None:
    with pytest.raises(DataError, match=message):
        made(division)


def test_files_say_how_they_are_divided_and_runs_find_the_parts_again(tmp_path: Path) -> None:
    part = ["train", "train", "validation", "test"] * 15
    table, signals, archive = (tmp_path / name for name in ("t.csv", "s.csv", "a.npz"))
    lines = [f"{n},{n % 2},{part[n // 2]}\n" for n in range(120)]
    table.write_text("x,label,split\n" + "".join(lines))
    lines = [f"{n // 2},{n},{n // 2 % 3},{part[n // 2]},g{n // 8}\n" for n in range(120)]
    signals.write_text("id,x,label,split,group\n" + "".join(lines))
    inputs = np.random.default_rng(0).random((60, 4))
    np.savez(archive, inputs=inputs, labels=LABELS.numpy(), split=np.array(part))
    for path, sizes in ((table, (60, 30, 30)), (signals, (30, 15, 15)), (archive, (30, 15, 15))):
        task = load_task(str(path))
        assert (len(task.train.labels), len(task.validation.labels), len(task.test.labels)) == sizes
        found = held_out(str(path), task.digest)
        assert found is not None
        assert torch.equal(found.split.inputs, task.test.inputs)
    assert load_task(str(table)).example.shape == (1, 1)  # the part is no feature
    scored = load_scored(str(archive), (4,), 3)
    assert torch.equal(scored.split.inputs, load_task(str(archive)).test.inputs)
    assert "the test samples of" in scored.what


def test_a_signal_has_one_group(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("id,x,label,group\none,1,a,p\none,2,a,q\n")
    with pytest.raises(DataError, match=r"s\.csv must have one group, but 'one' has several"):
        load_task(str(tmp_path / "s.csv"))


def test_arrays_of_another_shape_do_not_divide(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.zeros((9, 2)), labels=np.arange(9), group=np.arange(8))
    with pytest.raises(DataError, match=r"'group' in .*d\.npz must be texts or integers \[9\]"):
        load_task(str(tmp_path / "d.npz"))
