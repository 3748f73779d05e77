from collections.abc import Sequence
from pathlib import Path

from nas.objective import Epoch
from nas.runs.epoch_notes import EpochNotes, epoch_notes
from nas.runs.run import run
from tests.nas.runs.experiments import Make, facts

CURVE = (Epoch(1.0, None), Epoch(0.5, 0.75))


def test_notes_are_read_in_the_order_of_candidates_until_they_are_removed(tmp_path: Path) -> None:
    notes = EpochNotes(tmp_path)
    notes.write(12, CURVE, 6)
    notes.write(3, (), 4)
    assert [*notes.read().items()] == [(3, (0, 4)), (12, (2, 6))]
    notes.write(3, CURVE[:1], 4)
    notes.remove(12)
    notes.remove(99)
    assert notes.read() == {3: (1, 4)}


def test_what_cannot_be_noted_or_read_is_left_out(tmp_path: Path) -> None:
    nowhere = EpochNotes(tmp_path / "missing")
    nowhere.write(0, CURVE, 6)
    assert nowhere.read() == {}
    (tmp_path / "7").write_text("half")
    assert EpochNotes(tmp_path).read() == {}


def test_the_folder_is_removed() -> None:
    with epoch_notes() as notes:
        notes.write(0, CURVE, 6)
        assert notes.read()
    assert not notes.folder.exists()


def test_workers_note_each_epoch_and_give_the_same_results(tiny: Make, tmp_path: Path) -> None:
    told = list[tuple[int, int, int]]()

    class Told(EpochNotes):
        def write(self, id: int, reached: Sequence[Epoch], epochs: int) -> None:
            super().write(id, reached, epochs)
            told.extend((number, *note) for number, note in self.read().items())

    notes, experiment = Told(tmp_path), tiny(trials=2)
    found = run(experiment, tmp_path / "a", notes=notes).evaluations
    assert facts(found) == facts(run(experiment, tmp_path / "b").evaluations)
    planned = sum(experiment.recipe.phases(None))
    trained = [each.id for each in found if each.history]
    assert told == [(id, epoch, planned) for id in trained for epoch in range(planned)]
    assert notes.read() == {}
