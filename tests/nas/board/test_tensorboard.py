import io
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util.tensor_util import make_ndarray

from nas.board.pareto_picture import pareto_picture
from nas.objective import Evaluation, Objective
from tests.nas.board.searches import (
    CHOICES,
    OBJECTIVE,
    OK,
    RUN,
    Controller,
    Plain,
    curves,
    events,
    log,
)


def test_the_curves_of_a_search(tmp_path: Path) -> None:
    log(tmp_path / "tb", strategy=Controller())
    assert curves(tmp_path / "tb" / "search") == {
        # By evaluation, of which those over budget use up no trial.
        "search/over_budget_share": [
            (n, pytest.approx(share))
            for n, share in enumerate([0, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 2 / 6], 1)
        ],
        # By trial.
        "candidate/accuracy": [(1, 0.5), (2, 0.25), (4, 0.75)],
        "candidate/size_bytes": [(1, 1000.0), (2, 2000.0), (4, 3000.0)],
        "best/accuracy": [(1, 0.5), (2, 0.5), (4, 0.75)],
        "best/size_bytes": [(1, 1000.0), (2, 1000.0), (4, 3000.0)],
        "strategy/entropy": [(1, 1.75), (2, 1.5), (3, 1.25), (4, 1.0)],
        "strategy/baseline": [(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.5)],
        # Of (0.5, 0.75) a product; later (0.75, 0.25) adds 0.25 × 0.25.
        "search/hypervolume": [(1, 0.375), (2, 0.375), (4, 0.4375)],
        # By second of evaluation: 10.25 × 1, × (1 + 2 + 3) and × (1 + … + 5).
        "best_by_second/accuracy": [(10, 0.5), (62, 0.5), (154, 0.75)],
        "search/window_mean_accuracy": [(1, 0.5), (2, 0.375), (4, 0.5)],
        # Of five choices with several options, only the width differs: one of six, or not active.
        "search/entropy": [
            (trial, pytest.approx(math.log(count) / math.log(7) / 5))
            for trial, count in ((1, 1), (2, 2), (4, 3))
        ],
    }


def test_a_strategy_without_a_report_and_an_objective_without_gains_have_curves_too(
    tmp_path: Path,
) -> None:
    log(
        tmp_path / "tb",
        objective=Objective(maximize=(), minimize=("size_bytes",)),
        strategy=Plain(),
    )
    found = curves(tmp_path / "tb" / "search")
    assert not [tag for tag in found if tag.startswith("strategy/")]
    assert found["best/size_bytes"] == [(1, 1000.0), (2, 1000.0), (4, 1000.0)]
    assert found["best_by_second/size_bytes"] == [(10, 1000.0), (62, 1000.0), (154, 1000.0)]


def test_each_trained_candidate_has_a_folder_with_its_epochs_and_metrics_and_no_other_has(
    tmp_path: Path,
) -> None:
    log(tmp_path / "tb")
    assert sorted(path.name for path in (tmp_path / "tb").iterdir()) == ["search", "trials"]
    assert sorted(path.name for path in (tmp_path / "tb" / "trials").iterdir()) == [
        "00000",
        "00002",
        "00004",
    ]
    assert curves(tmp_path / "tb" / "trials" / "00002") == {
        "epoch/loss": [(1, 2.0), (2, pytest.approx(1 / 3))],
        "epoch/accuracy": [(1, 0.125), (2, 0.25)],
        "metric/accuracy": [(0, 0.25)],
        "metric/size_bytes": [(0, 2000.0)],
    }


def test_each_trained_candidate_is_a_row_of_the_hyper_parameter_table(tmp_path: Path) -> None:
    log(tmp_path / "tb")
    for id in (0, 2, 4):
        content = events(tmp_path / "tb" / "trials" / f"{id:05d}").PluginTagToContent("hparams")
        read = {tag: HParamsPluginData.FromString(data) for tag, data in content.items()}
        experiment = read["_hparams_/experiment"].experiment
        assert {metric.name.tag for metric in experiment.metric_infos} == {
            "metric/accuracy",
            "metric/size_bytes",
        }
        # A row has all columns, those too that this design leaves out, or parallel coordinates lack it.
        columns = [column.name for column in experiment.hparam_infos]
        assert columns == [choice.name for choice in CHOICES]
        options = read["_hparams_/session_start_info"].session_start_info.hparams
        assert {*options} == {*columns}
        assert {
            name: getattr(value, str(value.WhichOneof("kind"))) for name, value in options.items()
        } == {
            "op": "conv",
            "width": 8.0 * id,
            "prune": 0.5,
            "bias": True,
            "rank": "None",
            "kernel": "(3, 3)",
            "dilation": 0.0,
        }
        assert "_hparams_/session_end_info" in read


def test_the_front_is_a_picture_at_the_last_trial(tmp_path: Path) -> None:
    log(tmp_path / "tb")
    (image,) = events(tmp_path / "tb" / "search").Images("pareto")
    picture = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))
    assert image.step == 4
    assert np.array_equal(picture, pareto_picture(RUN, OBJECTIVE))


BLUE, GREY = (0x1F, 0x77, 0xB4), (0x99,) * 3


def test_the_picture_shows_every_trained_candidate_and_joins_the_front() -> None:
    def share(run: Sequence[Evaluation], color: tuple[int, int, int]) -> float:
        picture = pareto_picture(run, OBJECTIVE)
        assert (picture.shape, str(picture.dtype)) == ((500, 800, 4), "uint8")
        return float((picture[..., :3] == color).all(-1).mean())

    rising = [
        replace(RUN[0], metrics={"accuracy": 0.02 * n, "size_bytes": 1000.0 + 100 * n})
        for n in range(20)
    ]
    better = replace(RUN[0], metrics={"accuracy": 0.9, "size_bytes": 500.0})
    assert np.array_equal(pareto_picture(RUN, OBJECTIVE), pareto_picture(RUN, OBJECTIVE))
    assert (
        share([], BLUE) < share([better], BLUE) < share(rising[:2], BLUE) < share(rising, BLUE)
    ), "a line joins the front"
    assert share([better, *rising], GREY) > 3 * share(rising, GREY), (
        "what is not on the front is gray"
    )
    assert np.array_equal(
        pareto_picture([RUN[1], RUN[3], RUN[0]], OBJECTIVE), pareto_picture([RUN[0]], OBJECTIVE)
    )


def test_a_resumed_search_is_logged_anew_without_doubles_or_leftovers(tmp_path: Path) -> None:
    log(tmp_path / "once")
    log(
        tmp_path / "tb",
        [
            *RUN[:3],
            Evaluation(
                id=7,
                genotype=(7,),
                design={},
                status=OK,
                reason="",
                metrics={"accuracy": 0.1, "size_bytes": 1.0},
                seconds=1.0,
            ),
        ],
    )
    (tmp_path / "tb" / "search" / "stray").touch()
    log(tmp_path / "tb")
    for part in ("search", "trials/00000", "trials/00004"):
        assert curves(tmp_path / "tb" / part) == curves(tmp_path / "once" / part)
    assert not (tmp_path / "tb" / "trials" / "00007").exists()


def test_a_search_of_which_nothing_was_trained_has_a_board(tmp_path: Path) -> None:
    log(tmp_path / "none", [])
    assert events(tmp_path / "none" / "search").Images("pareto")[0].step == 0
    log(tmp_path / "tb", [RUN[1], RUN[3]])
    assert curves(tmp_path / "tb" / "search") == {"search/over_budget_share": [(1, 1.0), (2, 0.5)]}
    assert not (tmp_path / "tb" / "trials").exists()


def test_events_have_the_time_at_which_the_evaluation_was_journalled(tmp_path: Path) -> None:
    run = [replace(each, finished=1e9 + 60 * each.id) for each in RUN]
    log(tmp_path / "tb", run)
    read = events(tmp_path / "tb" / "search")
    assert [event.wall_time for event in read.Scalars("best/accuracy")] == [
        1e9,
        1e9 + 120,
        1e9 + 240,
    ]
    assert read.Images("pareto")[-1].wall_time == 1e9 + 300
    trial = events(tmp_path / "tb" / "trials" / "00002")
    assert {event.wall_time for event in trial.Scalars("metric/accuracy")} == {1e9 + 120}


def test_the_pictures_are_drawn_again_as_the_search_goes_on(tmp_path: Path) -> None:
    run = [replace(RUN[0], id=id) for id in range(13)]
    log(tmp_path / "tb", run)
    read = events(tmp_path / "tb" / "search")
    for name in ("pareto", "choices"):
        assert [image.step for image in read.Images(name)] == [8, 12, 13]
    log(tmp_path / "ended", run[:12])
    (last,) = [x.step for x in events(tmp_path / "ended" / "search").Images("pareto")][1:]
    assert last == 12


def test_the_layout_names_curves_that_there_are(tmp_path: Path) -> None:
    log(tmp_path / "tb", strategy=Controller())
    read = events(tmp_path / "tb" / "search")
    content = make_ndarray(read.Tensors("custom_scalars__config__")[0].tensor_proto).item()
    layout = Layout.FromString(content)
    assert [category.title for category in layout.category] == ["search", "costs"]
    tags = {
        tag
        for category in layout.category
        for chart in category.chart
        for tag in chart.multiline.tag
    }
    assert tags <= {*read.Tags()["scalars"]}
    assert len(tags) == 8
