"""The lines of a journal: a header, then evaluations, each with a checksum."""

import json
import zlib
from collections.abc import Hashable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas.objective import Epoch, Evaluation, Objective, Status
from nas.runs.directory import RunDirectoryError
from nas.space import RENAMED_KINDS, present_name

NAME = "journal.jsonl"
FORMAT = "compact-nas journal"
VERSION = 1


Header = Mapping[str, Any]


def line_of(record: Mapping[str, Any]) -> bytes:
    """A line of a journal, with its checksum."""
    body = json.dumps(record, allow_nan=False)
    return f'{{"crc": "{zlib.crc32(body.encode()):08x}", "record": {body}}}\n'.encode()


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        outer = json.loads(line)
        record = outer["record"]
        if not isinstance(record, dict) or line_of(record) != line:
            raise ValueError("the checksum does not match")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunDirectoryError(
            f"{where} must be an undamaged line of the journal, but {error}"
        ) from error
    return record


def with_present_kinds(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """The experiment of a header, or of a run, as JSON with the present names of kinds."""
    # A hook of the parser: it goes as deep as the parser does, where recursion here would not.
    renamed: dict[str, Any] = json.loads(json.dumps(experiment), object_hook=_renamed)
    return renamed


def _renamed(part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("kind")
    return part | {"kind": RENAMED_KINDS.get(kind, kind)} if isinstance(kind, str) else part


def _plain(option: Hashable) -> Any:
    """An option as JSON has it; what JSON cannot say is told by its repr."""
    if isinstance(option, (tuple, list)):
        return [_plain(item) for item in option]
    return option if option is None or isinstance(option, (str, int, float, bool)) else repr(option)


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON."""
    design = {name: _plain(option) for name, option in evaluation.design.items()}
    return asdict(evaluation) | {"design": design, "metrics": dict(evaluation.metrics)}


def from_json(record: Mapping[str, Any]) -> Evaluation:
    """The evaluation that `to_json` wrote, with the present names of kinds.

    Tuples in its design have become lists.
    """
    known = {
        "genotype": tuple(record["genotype"]),
        "design": {present_name(name): option for name, option in record["design"].items()},
        "status": Status(record["status"]),
        "metrics": dict(record["metrics"]),
        "history": tuple(Epoch(**epoch) for epoch in record["history"]),
    }
    return Evaluation(**{**record, **known})


def contents(path: Path, data: bytes) -> tuple[Header, list[Evaluation], int]:
    """Header, evaluations and the length of what is whole. A last line without its end was never
    acknowledged.
    """
    whole = data.rfind(b"\n") + 1
    records, offset = [], 0
    for line in data[:whole].splitlines(keepends=True):
        records.append(_parse(line, f"{path} at byte {offset}"))
        offset += len(line)
    if not records:
        return {}, [], 0
    header = records[0]
    if (
        header.get("format") != FORMAT
        or not isinstance(header.get("version"), int)
        or header["version"] > VERSION
    ):
        found = f"{header.get('format')!r} version {header.get('version')!r}"
        raise RunDirectoryError(
            f"{path} must be a {FORMAT!r} of version {VERSION} or older, but is {found}"
        )
    if not isinstance(header.get("experiment"), dict):
        raise RunDirectoryError(
            f"{path} must begin with an experiment, but with {header.get('experiment')!r}"
        )
    try:
        evaluations = [from_json(record) for record in records[1:]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(
            f"{path} must hold evaluations of version {header['version']}, but one has a bad field: {error}"
        ) from error
    if [evaluation.id for evaluation in evaluations] != list(range(len(evaluations))):
        raise RunDirectoryError(
            f"{path} must hold the ids 0 … {len(evaluations) - 1} in order, but does not"
        )
    return {**header, "experiment": with_present_kinds(header["experiment"])}, evaluations, whole


def objective_of(header: Header) -> Objective:
    """The objective that a run was made for."""
    return Objective.from_json(header["experiment"]["objective"])
