"""All candidates of a run as a Parquet file, whose columns have types.

By pyarrow itself: pandas writes such files by calling it, and would be one more thing to install.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas import durable
from nas.runs.journal import read_journal
from nas.runs.trial_table import trial_rows

if TYPE_CHECKING:
    from pyarrow import DataType

_TEXTS, _COUNTS = ("status", "reason"), ("number",)
_LARGEST = 2**63


def write_parquet(out: Path, target: Path) -> int:
    """Writes a row for each candidate of the run `out` to `target`, and returns how many there are.

    Columns are those of `write_trial_table`, with null for an empty cell. A choice is a column of booleans,
    whole numbers or numbers if all its options are, and else of texts, lists as JSON.

    Raises:
        ValueError: if pyarrow is not installed.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
        OSError: if the file cannot be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ValueError(
            "a Parquet file is written by pyarrow, which must be installed: pip install 'compact-nas[parquet]'"
        ) from error
    evaluations = read_journal(out)[1]
    rows = trial_rows(evaluations)
    columns = {}
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows]
        kind = _type(name, values)
        columns[name] = pa.array([_cell(value, kind) for value in values], kind)
    written = io.BytesIO()
    parquet.write_table(pa.table(columns), written)
    durable.write(target, written.getvalue())
    return len(evaluations)


def _type(name: str, values: Sequence[Any]) -> "DataType":
    import pyarrow as pa

    if not name.startswith("design."):
        return pa.string() if name in _TEXTS else pa.int64() if name in _COUNTS else pa.float64()
    known = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in known):
        return pa.bool_()
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in known):
        return pa.string()
    whole = all(isinstance(value, int) and -_LARGEST <= value < _LARGEST for value in known)
    return pa.int64() if whole else pa.float64()


def _cell(value: Any, kind: "DataType") -> Any:
    import pyarrow as pa

    if value is None or not pa.types.is_string(kind):
        return value
    text = json.dumps(value) if isinstance(value, (list, tuple)) else str(value)
    return text.encode(errors="replace").decode()
