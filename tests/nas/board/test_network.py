"""The best network in TensorBoard: text, graph and histograms."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.util.tensor_util import make_ndarray
from torch import Tensor, nn

from nas.board.log import TensorBoardLog
from nas.board.network import LoggedNetwork, described, graph_of, logged_network
from nas.lowering import lower
from nas.objective import Evaluation
from nas.packed import pack
from nas.program import logits
from tests.nas.board.searches import CHOICES, OBJECTIVE, RUN, Plain, events


@pytest.fixture(scope="module")
def samples() -> Tensor:
    return torch.rand(8, 1, 5, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network(tmp_path: Path, samples: Tensor) -> LoggedNetwork:
    torch.manual_seed(0)
    model = nn.Sequential()
    model.add_module("stem", nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.ReLU(), nn.Flatten()))
    model.add_module("head", nn.Linear(12, 2))
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    np.savez(tmp_path / "w.npz", allow_pickle=False, **weights)
    (tmp_path / "f.nas").write_bytes(pack(lower(model, samples)))
    found = logged_network(tmp_path / "f.nas", tmp_path / "w.npz", samples)
    assert found is not None
    return found


def test_without_files_there_is_no_network(tmp_path: Path, samples: Tensor) -> None:
    assert logged_network(tmp_path / "none", tmp_path / "none", samples) is None
    (tmp_path / "damaged").write_bytes(b"NAS")
    assert logged_network(tmp_path / "damaged", tmp_path / "none", samples) is None


def test_the_graph_has_the_modules_of_the_user_and_the_order_of_the_program(
    network: LoggedNetwork,
) -> None:
    graph = graph_of(network.file)
    names = [node.name for node in graph.node]
    assert names[0] == "input"
    assert names[1] == "stem/0_0", "the module within the module stem"
    assert names[-1].startswith("head_")
    assert [*graph.node[1].input] == ["input"]
    assert graph.node[1].attr["weight_bits"].i == 8
    assert (
        sum(node.attr["bytes"].i for node in graph.node) + sum(network.file.rest.values())
        == network.file.total
    )


def test_the_last_activations_are_the_logits(network: LoggedNetwork, samples: Tensor) -> None:
    *_, (name, last) = network.activations()
    assert name.endswith("head")
    expected = logits(network.program, samples)
    assert np.array_equal(last.astype(np.float32) * network.program.tensors[-1].scale, expected)


def test_the_text_escapes_what_a_table_would_take_for_its_own(network: LoggedNetwork) -> None:
    hostile = Evaluation(**{**vars(RUN[0]), "design": {"a|b": "c\n|d"}})
    text = described(hostile, network.file)
    assert "| a\\|b | c \\|d |" in text
    assert f"| {network.file.total:,} | 100.0% |" in text


def test_the_best_is_logged_when_it_changes_and_the_graph_at_the_end(
    network: LoggedNetwork, tmp_path: Path
) -> None:
    asked = list[int]()

    def network_of(evaluation: Evaluation) -> LoggedNetwork:
        asked.append(evaluation.id)
        return network

    with TensorBoardLog(tmp_path / "tb", CHOICES, network_of) as board:
        for count in range(1, len(RUN) + 1):
            board.add(RUN[:count], OBJECTIVE, Plain())
        board.finish(RUN, OBJECTIVE)
    assert asked == [0, 4, 4], "each leader once, and the last one at the end"
    read = events(tmp_path / "tb" / "search")
    assert [event.step for event in read.Tensors("best/text_summary")] == [1, 4]
    told = make_ndarray(read.Tensors("best/text_summary")[1].tensor_proto).item().decode()
    assert told.startswith("number 4\n")
    tags = read.Tags()["histograms"]
    assert {tag.split("/")[0] for tag in tags} == {"weights", "activations"}
    assert len(tags) == 2 + len(network.file.layers) + 1
    assert GraphDef.FromString(read.Graph().SerializeToString()) == graph_of(network.file)
