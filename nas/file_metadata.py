"""What ONNX and .tflite files say beside their program."""

import json
from collections.abc import Sequence

from nas.preprocessing import Preprocessing


def file_metadata(
    class_names: Sequence[str] = (), preprocessing: Preprocessing | None = None
) -> dict[str, str]:
    """`class_names`, a JSON list, and `preprocessing`, a JSON object (`Preprocessing.to_json`), those that
    are given.

    >>> file_metadata(["cat", "dog"], Preprocessing("uint8"))["class_names"]
    '["cat", "dog"]'
    """
    return {
        **({"class_names": json.dumps(list(class_names))} if class_names else {}),
        **({} if preprocessing is None else {"preprocessing": preprocessing.to_json()}),
    }
