"""optuna-dashboard serves a study that was exported."""

import json
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from nas.runs.optuna_study import write_study
from tests.nas.report.runs import OBJECTIVE, search, write

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # those of its own libraries


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        pass


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.loads(answer.read())


def test_its_page_and_its_interface_have_the_candidates(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    dashboard = pytest.importorskip("optuna_dashboard")
    evaluations = [replace(each, epochs=4.0) for each in search(30)]
    target = tmp_path / "study.db"
    write_study(write(tmp_path / "run", evaluations, OBJECTIVE), target)
    storage = optuna.storages.RDBStorage(f"sqlite:///{target}")
    server = make_server("127.0.0.1", 0, dashboard.wsgi(storage), handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        (study,) = asked(f"{url}/api/studies")["study_summaries"]
        assert study["study_name"] == "run"
        assert study["directions"] == ["maximize", "minimize"]
        found = asked(f"{url}/api/studies/{study['study_id']}?after=0")
        assert len(found["trials"]) == len(evaluations)
        states = {trial["number"]: trial["state"] for trial in found["trials"]}
        assert states[6] == "Fail"
        with urllib.request.urlopen(f"{url}/dashboard/", timeout=60) as page:
            assert b"<html" in page.read().lower()
    finally:
        server.shutdown()
        server.server_close()
        storage.remove_session()
        storage.engine.dispose()
