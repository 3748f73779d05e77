from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import Tensor, nn

from nas.objective import Status
from nas.runs.directory import RunDirectoryError
from nas.runs.run import run
from nas.training.distil import Teacher
from nas.training.given_network import load_weights
from nas.training.hints import Hint
from tests.nas.runs.experiments import Make, facts


def test_a_teacher_is_trained_once_and_changes_what_candidates_learn(
    tiny: Make, tmp_path: Path
) -> None:
    built = []

    def build(example: Tensor, classes: int) -> nn.Module:
        built.append(classes)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, classes))

    taught = tiny(teacher=Teacher(build=build, epochs=3))
    first = run(taught, tmp_path / "a")
    (path,) = (tmp_path / "a").glob("teacher-*.npz")
    weights = path.read_bytes()
    assert facts(run(taught, tmp_path / "a").evaluations) == facts(first.evaluations)
    assert path.read_bytes() == weights
    assert built == [3, 3]
    alone = run(tiny(), tmp_path / "b").evaluations
    assert [e.genotype for e in first.evaluations] == [e.genotype for e in alone]
    assert [e.history for e in first.evaluations] != [e.history for e in alone]


def hidden(example: Tensor, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, classes))


def test_a_teacher_is_named_by_what_it_is_made_from(tiny: Make, tmp_path: Path) -> None:
    names = set()
    for number, (epochs, seed) in enumerate(((2, 0), (3, 0), (2, 1), (2, 0))):
        out = tmp_path / str(number)
        run(tiny(teacher=Teacher(build=hidden, epochs=epochs), seed=seed, trials=1), out)
        (path,) = out.glob("teacher-*.npz")
        names.add(path.name)
    assert len(names) == 3


def test_a_given_teacher_is_not_trained(tiny: Make, tmp_path: Path) -> None:
    taught = run(tiny(teacher=Teacher(build=hidden, epochs=3), trials=2), tmp_path / "a")
    (trained,) = (tmp_path / "a").glob("teacher-*.npz")
    loaded = run(
        tiny(teacher=Teacher(build=hidden, epochs=0, weights=trained), trials=2), tmp_path / "b"
    )
    untaught = run(tiny(teacher=Teacher(build=hidden, epochs=0), trials=2), tmp_path / "c")
    assert [e.history for e in loaded.evaluations] == [e.history for e in taught.evaluations]
    assert [e.history for e in loaded.evaluations] != [e.history for e in untaught.evaluations]
    assert not [*(tmp_path / "b").glob("teacher-*"), *(tmp_path / "c").glob("teacher-*")]
    model = hidden(tiny().task.example, 3)
    load_weights(model, trained)
    as_tensors = tmp_path / "teacher.safetensors"
    save_file(model.state_dict(), as_tensors)
    again = Teacher(build=hidden, epochs=0, weights=as_tensors)
    same = run(tiny(teacher=again, trials=2), tmp_path / "tensors")
    assert [e.history for e in same.evaluations] == [e.history for e in taught.evaluations]
    trained.write_bytes(trained.read_bytes()[:-40])
    with pytest.raises(RunDirectoryError, match="teacher"):
        run(
            tiny(teacher=Teacher(build=hidden, epochs=0, weights=trained), trials=2), tmp_path / "b"
        )
    with pytest.raises(
        ValueError,
        match="must hold the teacher's weights, but is missing, damaged or of another network",
    ):
        run(
            tiny(teacher=Teacher(build=hidden, epochs=0, weights=trained), trials=2), tmp_path / "d"
        )


def test_hints_reach_the_candidates(tiny: Make, tmp_path: Path) -> None:
    def shallow(example: Tensor, classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(16, classes))

    plain, hinted = (
        run(
            tiny(teacher=Teacher(build=shallow, epochs=2, hints=hints), trials=2),
            tmp_path / str(len(hints)),
        ).evaluations
        for hints in ((), (Hint("head", "1", 5.0),))
    )
    assert [e.status for e in hinted] == [Status.OK, Status.OK]
    assert [e.history for e in plain] != [e.history for e in hinted]
