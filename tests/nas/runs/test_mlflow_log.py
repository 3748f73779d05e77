import sys
from pathlib import Path

import pytest

from nas.objective import best
from nas.runs.directory import write_test_score
from nas.runs.mlflow_log import open_store
from tests.nas.report.runs import OBJECTIVE, add_file, search, write


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of its own libraries
def test_a_run_has_settings_metrics_by_candidate_and_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)  # where stores put artifacts unless told otherwise
    evaluations = search(30)
    out = write(tmp_path / "run", evaluations)
    leader = best(evaluations, OBJECTIVE)
    assert leader is not None
    add_file(out, leader.id)
    write_test_score(out, leader.id, 0.75)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    run = open_store(uri, "digits").log(out)
    again = open_store(uri, "digits").log(out)
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_run(run)
    assert found.info.status == "FINISHED"
    assert found.data.params["seed"] == "3"
    assert found.data.params["design.op"] == "conv"
    assert found.data.metrics["network/test_accuracy"] == 0.75
    assert found.data.metrics["network/accuracy"] == leader.metrics["accuracy"]
    steps = client.get_metric_history(run, "candidate/accuracy")
    assert {metric.step: metric.value for metric in steps} == {
        each.id: each.metrics["accuracy"] for each in evaluations if "accuracy" in each.metrics
    }
    rises = [metric.value for metric in client.get_metric_history(run, "best/accuracy")]
    assert rises == sorted(rises)
    assert rises[-1] == leader.metrics["accuracy"]
    assert [each.path for each in client.list_artifacts(run)] == [f"{leader.id:05d}.nas"]
    assert client.get_run(again).info.experiment_id == found.info.experiment_id
    with pytest.raises(ValueError, match="an MLflow store must be at nosuch://"):
        open_store("nosuch://store", "digits")


def test_without_mlflow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ValueError, match=r"pip install 'compact-nas\[mlflow\]'"):
        open_store("sqlite:///x.db", "digits")
