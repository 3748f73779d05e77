import struct
import tracemalloc

import pytest

from nas.packed.layout import ArtifactError
from nas.packed.unpack import unpack
from tests.nas.packed.malformed_files import (
    AFFINE,
    AGAIN,
    FIRST,
    FLATTEN,
    HEAD,
    IMAGE,
    LAYER,
    TYPE,
    UP,
    chain,
    later,
)
from tests.nas.packed.packed_programs import seal


@pytest.mark.fault(56, 57)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "byte 0: 4 bytes must follow, but there are 0", id="nothing"),
        pytest.param(
            seal(b"\x89PNG\x01"),
            r"byte 0: a packed file must begin with b'\\x89NAS', but begins with b'\\x89PNG'",
            id="png",
        ),
        pytest.param(
            seal(b"\x89NAS\0"), "byte 4: .* version from 1 to 7, but has 0$", id="no version"
        ),
        pytest.param(
            seal(b"\x89NAS\x08"),
            "byte 4: .* version from 1 to 7, but has 8: newer software wrote it",
            id="newer",
        ),
        pytest.param(
            HEAD + b"\0\0\0\0\0",
            "byte 6: the checksum must be .* but is 00000000: the file is damaged",
            id="checksum",
        ),
        pytest.param(seal(HEAD), "byte 5: 1 bytes must follow, but there are 0", id="header only"),
        pytest.param(
            chain(count=0),
            "byte 13: a program needs one tensor more than operations",
            id="no operations",
        ),
        pytest.param(
            seal(HEAD + b"\x81\x20"),
            "byte 5: the operations .* at most 4,096, but got 4,097",
            id="operations",
        ),
        pytest.param(
            seal(HEAD + b"\x81\0"), "byte 5: a varint must be as short as can be", id="long varint"
        ),
        pytest.param(
            chain(shape=b"\x02\1\1"),
            "byte 6, input: the input must have 1 or 3 dimensions, but has 2",
            id="rank",
        ),
        pytest.param(chain(shape=b"\1\0"), r"input: a tensor must be \[F\]", id="no element"),
        pytest.param(
            chain(shape=b"\1\x81\x80\x80\x08"),
            "elements of the input .* 16,777,216, but got 16,777,217",
            id="input",
        ),
        pytest.param(
            chain(shape=b"\3" + b"\xff\xff\xff\xff\x0f" * 3),
            "elements of the input .* but got 79,",
            id="large input",
        ),
        pytest.param(
            chain(b"\x0b"),
            "byte 14, 0: the kind of an operation must be 0 to 10 in version 2, but is 11",
            id="kind of a later version",
        ),
        pytest.param(
            later(b"\x0c"),
            "byte 14, 0: the kind of an operation must be 0 to 11 in version 3, but is 12",
            id="kind of the last version",
        ),
        pytest.param(
            later(b"\x0d", version=4),
            "byte 14, 0: the kind of an operation must be 0 to 12 in version 4, but is 13",
            id="kind",
        ),
        pytest.param(
            later(b"\x0c\0\2\2", version=4),
            r"0.pad: its input must be \[C, H, W\], but is \(4,\)",
            id="margins of a vector",
        ),
        pytest.param(
            later(b"\x0c\0\2\3\1", version=4, shape=IMAGE),
            "0.pad: a pair of equal numbers must be written as one, but 1 is written twice",
            id="equal margins",
        ),
        pytest.param(
            later(b"\x0c\0\0\x81\x80\x08\0", version=4, shape=IMAGE),
            r"0.pad: margins must lie in 0 … 65535, but are \[0, 0, 65536, 0\]",
            id="margin",
        ),
        pytest.param(
            later(b"\x0c\0\xfe\xff\x07\0", version=4, shape=IMAGE),
            "0.pad: the elements of a tensor must be at most 67,108,864, but got 553,639,936",
            id="margins",
        ),
        pytest.param(
            later(b"\x0c\0\2", version=4, shape=IMAGE),
            "0.pad: 1 bytes must follow, but there are 0",
            id="no margins",
        ),
        pytest.param(
            later(b"\x0b\0" + TYPE + b"\x09\0\xff\x12"),
            "0.prelu: the bits of a slope must be at most 17, but got 18",
            id="slope bits",
        ),
        pytest.param(
            later(b"\x0b\0" + TYPE + b"\x09\0\xff\x11\1\0" + b"\x80" + bytes(8)),
            "0.prelu: slopes must lie in -65535 … 65535, but lie in -65536 … 0",
            id="slope",
        ),
        pytest.param(
            later(b"\x0b\0" + TYPE + b"\x09\0\xff\0\0\0"),
            "0.prelu: its multiplier must be 1 or more, but is 0",
            id="no multiplier",
        ),
        pytest.param(
            chain(b"\x08\x01"),
            "0.flatten: how far back a source lies must be at most 0, but got 1",
            id="source",
        ),
        pytest.param(
            chain(b"\x02\x01\0"), "0.add: it must read 2 to 64 tensors, but reads 1", id="summands"
        ),
        pytest.param(
            chain(b"\x04\x41" + bytes(65)),
            "0.concat: it must read 2 to 64 tensors, but reads 65",
            id="joined",
        ),
        pytest.param(
            chain(FLATTEN, b"\0", count=1),
            "the bytes behind the last operation .* but got 1",
            id="trailing",
        ),
        pytest.param(
            chain(b"\1\0\0" + LAYER),
            r"0.linear: weights must have no dimension of 0, but are \(0, 4\)",
            id="no weights",
        ),
        pytest.param(
            chain(b"\1\0\xff\xff\xff\xff\x0f" + LAYER),
            "weights of a layer .* but got 17,179,869,180",
            id="weights",
        ),
        pytest.param(
            chain(b"\1\0\x80\x80\x80\x08" + LAYER),
            "0.linear: 33,554,432 bytes must follow, but there are 0",
            id="multipliers",
        ),
        pytest.param(
            chain(b"\1\0\1" + TYPE + b"\x09\0\xff\x89\0"),
            "weights with zero points must have 2 to 8 bits, but have 1",
            id="weight bits",
        ),
        pytest.param(
            chain(AFFINE + b"\x05\x05\0"),
            "0.linear: the bits of a zero point must be at most 4, but got 5",
            id="zero point bits",
        ),
        pytest.param(
            chain(AFFINE + b"\x05\x04\xb0"),
            "zero points of weights of 4 bits must be at most 15, but got 16",
            id="zero point",
        ),
        pytest.param(
            chain(AFFINE + b"\x10\x00"),
            "zero points of weights of 4 bits .* but got 16",
            id="least zero point",
        ),
        pytest.param(
            chain(AFFINE + b"\xff\x04\xf0"),
            "zero points of weights of 4 bits .* but got 270",
            id="large zero point",
        ),
        pytest.param(
            chain(AFFINE + b"\x05\x04\xa1"),
            "last 4 bits of packed numbers must be 0",
            id="zero point filled",
        ),
        pytest.param(
            chain(AFFINE + b"\x05"),
            "0.linear: 1 bytes must follow, but there are 0",
            id="zero point missing",
        ),
        pytest.param(
            chain(b"\1\0\1" + TYPE + b"\x09\0\xff\x88\x21"),
            "bits of a bias must be at most 32, but got 33",
            id="bias bits",
        ),
        pytest.param(
            chain(b"\1\0\1" + TYPE + b"\xff\0\xff\x88\0\0\0"),
            "0.linear: a shift must lie in",
            id="shift",
        ),
        pytest.param(
            chain(b"\1\0\1" + TYPE + b"\x09\0\xff\x88\0\0\0\0\x80"),
            "byte 32, 0.linear: weights must lie in -127 … 127",
            id="weight",
        ),
        pytest.param(
            chain(b"\x0a\0" + TYPE + b"\x09"),
            "bits of a difference must be at most 8, but got 9",
            id="table bits",
        ),
        pytest.param(
            chain(b"\x0a\0" + struct.pack("<fBB", float("nan"), 0, 8)),
            "a scale must be positive and finite",
            id="scale",
        ),
        pytest.param(
            chain(b"\x0a\0" + struct.pack("<fBB", 1, 0, 9)),
            "a tensor must have 1 to 8 bits",
            id="tensor bits",
        ),
        pytest.param(chain(b"\7\0\0"), "0.gather: indices must be a vector", id="no index"),
        pytest.param(
            chain(b"\7\0\xff\xff\xff\xff\x0f"),
            "0.gather: 1,073,741,824 bytes must follow, but there are 0",
            id="indices",
        ),
        pytest.param(
            chain(UP, shape=b"\1\1"), r"0.upsample: its input must be \[C, H, W\]", id="no image"
        ),
        pytest.param(
            chain(UP, FLATTEN, shape=IMAGE),
            "0.upsample: the elements of a tensor .* but got 68,719,476,736",
            id="upsample",
        ),
        pytest.param(
            chain(b"\5\0\xd0\x8c\x01\0\0", shape=IMAGE),
            "0.maxpool: kernel, stride and dilation must be positive",
            id="no stride",
        ),
        pytest.param(
            chain(b"\5\0\x80\x80\x40\x80\x80\x40\0", shape=IMAGE),
            r"windows \(524288, 524288\) must fit \[4096, 4096\]",
            id="window",
        ),
        pytest.param(
            chain(b"\5\0\x80\x80\x40\x80\x80\x40\x80\x80\x20", shape=IMAGE),
            "kernel, stride, padding and dilation must be at most 65,535, but got 524,288",
            id="large window",
        ),
        pytest.param(
            chain(b"\5\0\x80\x80\x02\x80\x80\x02\x80\x80\x01", shape=IMAGE),
            "elements of a padded tensor must be at most 67,108,864, but got 419,430,400",
            id="padding",
        ),
        pytest.param(
            chain(b"\0\0\1\2\2\0\2\2" + LAYER, shape=b"\3\3\1\1"),
            "groups must divide 3 channels, but are 2",
            id="groups",
        ),
        pytest.param(
            chain(b"\0\0\1\2\2\0\2\0" + LAYER, shape=b"\3\3\1\1"),
            "groups must divide 3 channels, but are 0",
            id="no groups",
        ),
        pytest.param(
            later(b"\x10\0\x80\x80\x02\0", shape=IMAGE, version=7),
            "elements of a tensor must be at most 67,108,864, but got",
            id="spread",
        ),
        pytest.param(
            later(b"\x10\0\0\0", shape=IMAGE, version=7),
            r"factors must lie in 1 … 65535, but are \[0, 0\]",
            id="no spread",
        ),
        pytest.param(
            later(b"\x11\0\0\2\4", shape=b"\3\1\1\1", version=7),
            r"the last row and column must lie in \[1, 1\], but are \[1, 1\]",
            id="slice",
        ),
        pytest.param(
            later(FIRST, AGAIN + b"\2", version=7),
            "how many layers before the same weights are must be at most 1, but got 2",
            id="no such layer before",
        ),
        pytest.param(
            later(FIRST, AGAIN + b"\0", version=7),
            "the same weights must be those of a layer before, but it says 0",
            id="its own weights",
        ),
        pytest.param(
            later(FIRST, AGAIN.replace(b"\x58", b"\x57") + b"\1", version=7),
            r"must have the shape, bits and zero points \(\(4, 4\), 7, False\), but have \(\(4, 4\), 8, False\)",
            id="weights of other bits",
        ),
        pytest.param(
            later(FIRST, AGAIN + b"\1", version=6),
            "the coder of weights must be 0 to 4 in version 6, but is 5",
            id="weights of a layer before",
        ),
        pytest.param(
            chain(b"\0\0\1\x80\x80\x40\2\0\2\1" + LAYER, shape=IMAGE),
            "weights of a layer .* but got 274,877,906,944",
            id="kernel",
        ),
        pytest.param(
            chain(b"\6\0\2\2\0" + TYPE + b"\x09\0\xff\1\0", shape=b"\3\1\1\1"),
            "the output must be",
            id="no vector",
        ),
    ],
)
def test_malformed_files_are_refused_before_memory_is_taken(data: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError, match=message):
            unpack(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_few_bytes_may_stand_for_a_large_layer() -> None:
    layer = b"\1\0\1" + LAYER[:-2] + b"\x88\0" + bytes(2) + b"\0\1"
    tracemalloc.start()
    try:
        assert unpack(chain(layer, shape=b"\1\x80\x80\x80\x08")).macs == 2**24
        assert tracemalloc.get_traced_memory()[1] < 2**24 * 6
    finally:
        tracemalloc.stop()
