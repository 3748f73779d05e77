import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from nas.packed import bits
from nas.packed.coders import CODERS, most_bytes


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(1, 3000),
    kept=st.floats(0, 1),
    used=st.floats(0, 1),
    width=st.integers(2, 8),
    clustered=st.booleans(),
    seed=st.integers(0, 99),
)
def test_no_symbols_take_more_bytes_than_their_number_says(
    count: int, kept: float, used: float, width: int, clustered: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    allowed = round(kept * count)
    places = np.arange(allowed) if clustered else rng.permutation(count)[:allowed]
    symbols = np.zeros(count, np.uint8)
    # Some of those that may not be zero are.
    symbols[places[: round(used * allowed)]] = rng.integers(1, 2**width, round(used * allowed))
    written = [CODERS[number].write(symbols, width) for number in range(3)]
    assert min(len(data) for data in written if data is not None) <= most_bytes(
        count, allowed, width
    )


@pytest.mark.parametrize("count", [1000, 1001])
@pytest.mark.parametrize("width", [2, 4, 8])
def test_fewer_kept_weights_never_take_more(count: int, width: int) -> None:
    sizes = [most_bytes(count, kept, width) for kept in range(count + 1)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == bits.packed_bytes(count, width)


def test_the_shortest_of_three_codings_is_taken() -> None:
    # Raw 500 bytes; a mask 125 and half a byte a weight; gaps with a symbol of the gap's bits and
    # four for each weight or filler.
    assert most_bytes(1000, 900, 4) == 500
    assert most_bytes(1000, 500, 4) == 125 + 250
    # 10 weights after gaps of 10 bits, which need no fillers; two bytes of count, one of the gap's
    # width, one of rounding.
    assert most_bytes(1000, 10, 4) == -(-10 * (10 + 4) // 8) + 4
    # 40 weights and 960 >> 8 fillers.
    assert most_bytes(1000, 40, 4) == -(-(40 + 3) * (8 + 4) // 8) + 4


def test_range_coders_leave_long_layers_to_others() -> None:
    symbols = np.zeros(2**20 + 1, np.uint8)
    assert CODERS[4].write(symbols, 1) is None
    assert CODERS[4].write(symbols[:3000], 1) is not None
    assert [coder.version for coder in CODERS] == [1, 1, 1, 1, 5]
