"""The columns of TensorBoard's table of hyperparameters have one type each, so that they sort and
filter.
"""

from collections.abc import Hashable, Sequence
from pathlib import Path

import pytest
from tensorboard.plugins.hparams.api_pb2 import DataType
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from nas.board.log import TensorBoardLog
from nas.objective import Evaluation, Objective, Status
from nas.space import Choice, Choices
from tests.nas.board.searches import Plain, events

Cell = str | float


def logged(folder: Path, options: Sequence[Hashable]) -> tuple[list[Cell], set[str]]:
    """The cell of the row of each option of a choice, and the types that its column has."""
    choices, objective = Choices([Choice("layer", "sparsity", tuple(options))]), Objective()
    run = list[Evaluation]()
    with TensorBoardLog(folder, choices) as log:
        for id in range(len(options)):
            run.append(
                Evaluation(
                    id=id,
                    genotype=(id,),
                    design=choices.decode((id,)),
                    status=Status.OK,
                    reason="",
                    metrics={"accuracy": 0.5, "size_bytes": 100.0},
                    seconds=1.0,
                )
            )
            log.add(run, objective, Plain())
    cells, types = list[Cell](), set[str]()
    for id in range(len(options)):
        content = events(folder / "trials" / f"{id:05d}").PluginTagToContent("hparams")
        read = {tag: HParamsPluginData.FromString(data) for tag, data in content.items()}
        row = read["_hparams_/session_start_info"].session_start_info.hparams["layer.sparsity"]
        cells.append(getattr(row, str(row.WhichOneof("kind"))))
        (column,) = read["_hparams_/experiment"].experiment.hparam_infos
        types.add(DataType.Name(column.type))
    return cells, types


@pytest.mark.parametrize(
    ("options", "cells"),
    [
        ((0.5, "2:4"), ["0.5", "2:4"]),
        (("2:4", 0.5, 0), ["2:4", "0.5", "0"]),
        ((None, 4, 8), ["None", "4", "8"]),
        ((4, (3, 3)), ["4", "(3, 3)"]),
        ((False, 2, 4), ["False", "2", "4"]),
        (("relu", "gelu"), ["relu", "gelu"]),
        (((3, 3), (5, 5)), ["(3, 3)", "(5, 5)"]),
    ],
)
def test_a_column_that_is_not_all_numbers_is_of_texts(
    options: Sequence[Hashable], cells: Sequence[str], tmp_path: Path
) -> None:
    assert logged(tmp_path / "tb", options) == (cells, {"DATA_TYPE_STRING"})


@pytest.mark.parametrize(
    ("options", "cells"),
    [((4, 8, 2), [4.0, 8.0, 2.0]), ((0, 0.5), [0.0, 0.5]), ((True, False), [1.0, 0.0])],
)
def test_a_column_of_numbers_stays_one(
    options: Sequence[Hashable], cells: Sequence[float], tmp_path: Path
) -> None:
    assert logged(tmp_path / "tb", options) == (cells, {"DATA_TYPE_FLOAT64"})
