"""Numbers of bytes as people write them."""

import math
import re

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_TEXT = re.compile(r"(\d+(?:\.\d+)?) ?([kmg]i?|)b?", re.IGNORECASE)


MOST_BYTES = 2**63


def byte_count(text: str) -> int:
    """A number of bytes from text: "13250", "20kB", "64k", "1.5 MB" or "20KiB"; capitals do not
    matter.

    k, M and G are powers of 1,000 and Ki, Mi and Gi powers of 1,024, as IEC 80000-13 defines them:
    who means 1,024 by k gets a smaller file, which fits as well.

    >>> byte_count("20kB"), byte_count("64k"), byte_count("64 KiB")
    (20000, 64000, 65536)

    Raises:
        ValueError: if the text is not a number of bytes.
    """
    found = _TEXT.fullmatch(text.replace(",", "").strip())
    if found is None:
        raise ValueError(
            f"a size must be a number of bytes such as 13250, 20kB or 20KiB, but got {text!r}"
        )
    count = float(found[1]) * _UNITS[found[2].lower()]
    if not count < MOST_BYTES:
        raise ValueError(f"a size must be below {MOST_BYTES} bytes, but got {count:g}")
    return math.floor(count)
