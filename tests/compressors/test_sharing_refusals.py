from typing import Any

import pytest

from compressors.quantization import Quantization
from compressors.sharing import Sharing, share
from tests.compressors.sharing_networks import IMAGES, network


@pytest.mark.parametrize("entries", [1, 257, -2, True, 4.0, "16", None])
def test_other_numbers_of_values_are_refused_with_their_site(entries: Any) -> None:
    with pytest.raises(
        ValueError,
        match=rf"a codebook size must be 0 or one of 2 … 256, but got {entries!r} at '3'",
    ):
        share(network(), {"3": entries})


def test_weights_of_one_bit_and_shared_weights_are_refused() -> None:
    quantized = Quantization().apply(network(), {"3": 1}, IMAGES)
    with pytest.raises(ValueError, match="weights of 1 bit have two values already: '3'"):
        Sharing().apply(quantized, {"3": 4}, IMAGES)
    with pytest.raises(
        ValueError, match=r"weights that share values must have 2 to 8 bits, but got 1 at \['3'\]"
    ):
        Quantization().apply(share(network(), {"3": 4}), {"3": 1}, IMAGES)
    with pytest.raises(ValueError, match="can be shared once, but those of '3' are shared already"):
        share(share(network(), 4), {"3": 4})
    with pytest.raises(ValueError, match="must name a module of the network"):
        share(network(), {"x": 4})
