"""The format of a journal: one JSON line for the header, then one for each evaluation, each with a
checksum.
"""

import json
import zlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas.file_length import FileLength
from nas.objective import Epoch, Evaluation, Objective, Status
from nas.quality import KINDS, TaskKind
from nas.runs.directory import RunDirectoryError
from nas.space import RENAMED_KINDS, present_name

FORMAT = "compact-nas journal"
VERSION = 1

Header = Mapping[str, Any]
"""The first line: `format`, `version`, the description of the `experiment`, and, in those of before not,
some of the `networks` that its space builds.
"""


def header_of(
    experiment: Mapping[str, Any], networks: Sequence[Mapping[str, Any]] | None = None
) -> Header:
    """The header of a new journal; `networks` describes some that the space builds (None: none)."""
    header = {"format": FORMAT, "version": VERSION, "experiment": experiment}
    return header if networks is None else {**header, "networks": list(networks)}


def encode_line(content: Mapping[str, Any]) -> bytes:
    """A header or an evaluation as a line with its checksum."""
    body = json.dumps(content, allow_nan=False)
    return f'{{"crc": "{zlib.crc32(body.encode()):08x}", "record": {body}}}\n'.encode()


def _decode_line(line: bytes, where: str) -> dict[str, Any]:
    try:
        content = json.loads(line)["record"]
        if not isinstance(content, dict) or encode_line(content) != line:
            raise ValueError("the checksum does not match")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunDirectoryError(
            f"{where} must be an undamaged line of the journal, but {error}"
        ) from error
    return content


def with_present_kinds(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """The description of an experiment as JSON, with the present names of kinds."""
    # A hook of the parser, because a damaged header may be nested deeper than Python recurses.
    renamed: dict[str, Any] = json.loads(json.dumps(experiment), object_hook=_renamed)
    return renamed


def _renamed(part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("kind")
    return part | {"kind": RENAMED_KINDS.get(kind, kind)} if isinstance(kind, str) else part


def evaluation_to_json(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON."""
    design = {name: _option_to_json(option) for name, option in evaluation.design.items()}
    content = asdict(evaluation) | {"design": design, "metrics": dict(evaluation.metrics)}
    for name in ("file_length", "traceback", "finished"):  # as journals of before
        if content[name] in (None, ""):
            del content[name]
    return content


def _option_to_json(option: Hashable) -> Any:
    """Tuples become lists, and an option of a type that JSON lacks its repr."""
    if isinstance(option, (tuple, list)):
        return [_option_to_json(item) for item in option]
    return option if option is None or isinstance(option, (str, int, float, bool)) else repr(option)


def evaluation_from_json(content: Mapping[str, Any]) -> Evaluation:
    """The inverse of `evaluation_to_json`, but for options that JSON lacks, with the present names
    of kinds.
    """
    length = content.get("file_length")
    typed = {
        "genotype": tuple(content["genotype"]),
        "design": {present_name(name): option for name, option in content["design"].items()},
        "status": Status(content["status"]),
        "metrics": dict(content["metrics"]),
        "history": tuple(Epoch(**epoch) for epoch in content["history"]),
        "file_length": None if length is None else FileLength(**length),
    }
    return Evaluation(**{**content, **typed})


def decode_journal(path: Path, data: bytes) -> tuple[Header, list[Evaluation], int]:
    """The header, the evaluations, and the length in bytes of the complete lines.

    A last line without a line break was never acknowledged, and is ignored. Without a complete line
    the header is empty. `path` is only for messages.

    Raises:
        RunDirectoryError: if the journal is damaged, or not of this format.
    """
    length = data.rfind(b"\n") + 1
    contents, offset = [], 0
    for line in data[:length].splitlines(keepends=True):
        contents.append(_decode_line(line, f"{path} at byte {offset}"))
        offset += len(line)
    if not contents:
        return {}, [], 0
    header = contents[0]
    _check_header(path, header)
    try:
        evaluations = [evaluation_from_json(content) for content in contents[1:]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(
            f"{path} must hold evaluations of version {header['version']}, but one has a bad field: {error}"
        ) from error
    if [evaluation.id for evaluation in evaluations] != list(range(len(evaluations))):
        raise RunDirectoryError(
            f"{path} must hold the ids 0 … {len(evaluations) - 1} in order, but does not"
        )
    return {**header, "experiment": with_present_kinds(header["experiment"])}, evaluations, length


def _check_header(path: Path, header: Header) -> None:
    name, version = header.get("format"), header.get("version")
    if name != FORMAT or not isinstance(version, int) or version > VERSION:
        raise RunDirectoryError(
            f"{path} must be a {FORMAT!r} of version {VERSION} or older, but is {name!r} version {version!r}"
        )
    if not isinstance(header.get("experiment"), dict):
        raise RunDirectoryError(
            f"{path} must begin with an experiment, but begins with {header.get('experiment')!r}"
        )


def objective_of(header: Header) -> Objective:
    """The objective of a run.

    Raises:
        KeyError, TypeError, ValueError: if the header does not hold one.
    """
    return Objective.from_json(header["experiment"]["objective"])


def task_kind_of(header: Header) -> TaskKind:
    """The kind of the task of a run; headers of classifications do not have it."""
    task = header["experiment"].get("task")
    kind = task.get("kind") if isinstance(task, dict) else None
    return next((known for known in KINDS if known == kind), "classification")


def curve_metric_of(header: Header) -> str:
    """The metric that learning curves of a run have."""
    return KINDS[task_kind_of(header)].score


def quality_of(header: Header) -> str:
    """The metric of quality by which networks of a run are compared.

    Raises:
        KeyError, TypeError, ValueError: if the header does not hold an objective.
    """
    return objective_of(header).quality(task_kind_of(header))
