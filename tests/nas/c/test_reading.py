"""The reader in C reads what Python's reader does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nas.packed import ArtifactError, pack, unpack, with_class_names, with_preprocessing
from nas.preprocessing import Preprocessing
from tests.nas.c.compiled import SANITIZED, needs_compiler
from tests.nas.c.file_readers import compiled_reader, read_by, said_of
from tests.nas.packed.packed_programs import range_coded, residual, seal, small
from tests.nas.program_builder import APPEND, Builder, numbers_from

GOLDEN = sorted((Path(__file__).parents[1] / "packed" / "golden").glob("v*.bin"))
NOT_PACKED, OTHER_VERSION, DAMAGED, TRUNCATED, NO_ROOM = 1, 2, 3, 4, 7

pytestmark = needs_compiler


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader, compiled without a warning and with checks of every access."""
    return compiled_reader(tmp_path_factory.mktemp("reader"), (*SANITIZED, "-pedantic"))


def drawn(count: int) -> list[bytes]:
    """Files of programs with operations of all kinds."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(1, 7, 3 if seed % 3 else 1).tolist())
        builder = Builder(shape, numbers_from(seed))
        for kind in rng.choice(len(APPEND), 12):
            builder.grow([*APPEND][kind])
        found.append(pack(builder.program()))
    return found


def test_files_of_every_version_that_is_written_are_read(dump: Path) -> None:
    files = [path.read_bytes() for path in GOLDEN if not path.name.startswith("v1")]
    assert len(files) > 5
    assert read_by(dump, files) == [said_of(file) for file in files]


def test_random_programs_are_read(dump: Path, build: Callable[..., Builder]) -> None:
    files = [*drawn(40), *(pack(make(build)) for make in (small, range_coded))]
    files.append(pack(residual(build, 4)))
    assert read_by(dump, files) == [said_of(file) for file in files]


@pytest.mark.parametrize(
    "one",
    [
        Preprocessing("uint8"),
        Preprocessing("int16", deviation=(3.0,)),
        Preprocessing("float32", (1.0, -2.0), (0.25, 3.0), 4.0),
    ],
)
def test_preprocessing_and_names_are_read(
    one: Preprocessing, dump: Path, build: Callable[..., Builder]
) -> None:
    packed = with_preprocessing(pack(small(build)), one)
    names = [f"kind {label}" for label in range(unpack(packed).tensors[-1].size)]
    files = [packed, with_class_names(packed, names)]
    assert read_by(dump, files) == [said_of(file) for file in files]


def test_what_is_not_a_file_has_a_status(dump: Path, build: Callable[..., Builder]) -> None:
    packed = pack(small(build))
    first = GOLDEN[0].read_bytes()
    assert first[4] == 1
    flipped = packed[:20] + bytes([packed[20] ^ 1]) + packed[21:]
    many = Builder((3,), numbers_from(0))
    for _ in range(300):
        many.flatten(len(many.operations))
    files = [b"", packed[:8], b"\x89PNG" + packed[4:], first, packed[:4] + b"\x3f" + packed[5:]]
    files += [flipped, seal(packed[:40]), pack(many.program())]
    wanted = [NOT_PACKED] * 3 + [OTHER_VERSION] * 2 + [DAMAGED, TRUNCATED, NO_ROOM]
    assert read_by(dump, files) == [[status] for status in wanted]


def mutated(files: list[bytes], count: int, seed: int) -> list[bytes]:
    """Sealed files with some bytes changed, left out, repeated or put in."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        body = bytearray(files[number % len(files)][:-4])
        for _ in range(rng.integers(1, 4)):
            place, size = int(rng.integers(4, len(body))), int(rng.integers(0, 4))
            match rng.integers(0, 4):
                case 0:
                    body[place] ^= 1 << int(rng.integers(0, 8))
                case 1:
                    body[place : place + size] = rng.bytes(size)
                case 2:
                    body[place : place + size] = b""
                case _:
                    body[place:place] = (
                        rng.choice([0, 1, 127, 128, 255], size).astype(np.uint8).tobytes()
                    )
        found.append(seal(bytes(body)))
    return found


def wanted_of(file: bytes) -> list[int] | str:
    """What must be said of a file, or why it is refused."""
    try:
        return said_of(file)
    except ArtifactError as error:
        return str(error)


# The reader in C leaves it to its caller what running takes, and what names of classes say.
LEFT_OPEN = ("a sample takes", "class names must be", "the name of a class")


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.slow)])
def test_damaged_files_are_read_as_python_reads_them_or_refused(
    count: int, dump: Path, build: Callable[..., Builder]
) -> None:
    whole = [path.read_bytes() for path in GOLDEN if not path.name.startswith("v1")]
    whole += [*drawn(20), pack(small(build)), pack(range_coded(build))]
    prepared = with_preprocessing(whole[0], Preprocessing("uint8", (3.0,), (2.0,), 5.0))
    classes = unpack(prepared).tensors[-1].size
    whole += [prepared, with_class_names(prepared, [f"kind {label}" for label in range(classes)])]
    files = mutated(whole, count, 0)
    read = 0
    for file, found in zip(files, read_by(dump, files), strict=True):
        wanted = wanted_of(file)
        if isinstance(wanted, list):
            assert found == wanted
            read += 1
        elif found[0] == 0:
            assert any(phrase in wanted for phrase in LEFT_OPEN), wanted
    assert count // 20 < read < count
