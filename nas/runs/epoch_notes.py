"""How far the candidates in training are: notes in a folder of this machine, from workers to whoever shows progress."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from nas.objective import Curve


@dataclass(frozen=True)
class EpochNotes:
    """Notes in `folder`, one for each candidate in training. A note that cannot be written, as by a worker
    on another machine, is left out: nothing depends on it.
    """

    folder: Path

    def write(self, id: int, reached: Curve, epochs: int) -> None:
        """Notes the epochs that candidate `id` has reached of so many."""
        # Renamed, so that no reader meets half of it.
        written = self.folder / f"{id}.new"
        with suppress(OSError):
            written.write_text(f"{len(reached)} {epochs}")
            written.replace(self.folder / f"{id}")

    def remove(self, id: int) -> None:
        """Removes the note of a candidate, which there need not be."""
        with suppress(OSError):
            (self.folder / f"{id}").unlink()

    def read(self) -> dict[int, tuple[int, int]]:
        """The epochs that are done and those that are planned, by the number of the candidate."""
        found = {}
        with suppress(OSError, ValueError):
            for path in self.folder.iterdir():
                if path.name.isdecimal():
                    done, epochs = path.read_text().split()
                    found[int(path.name)] = int(done), int(epochs)
        return dict(sorted(found.items()))


@contextmanager
def epoch_notes() -> Iterator[EpochNotes]:
    """Notes in a folder that is removed in the end."""
    with TemporaryDirectory(prefix="nas-epochs-", ignore_cleanup_errors=True) as folder:
        yield EpochNotes(Path(folder))
