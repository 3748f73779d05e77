import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas import durable
from nas.training import checkpoint as weights


class Canary:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class Odd(nn.Module):
    """State of every kind: other types, no dimension, no element, a strided view, names that NumPy
    uses itself.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.file = nn.Parameter(torch.randn(2))
        self.allow_pickle = nn.Parameter(torch.randn(3, 2).t())
        self.register_buffer("scale", torch.rand(()))
        self.register_buffer("steps", torch.randint(2**62, ()))
        self.register_buffer("codes", torch.randint(256, (3, 2), dtype=torch.uint8))
        self.register_buffer("levels", torch.randint(-128, 128, (5,), dtype=torch.int8))
        self.register_buffer("mask", torch.rand(4) > 0.5)
        self.register_buffer("none", torch.zeros(0, 3))
        self.register_buffer("short", torch.randn(2).half())
        self.register_buffer("special", torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]))


def net(seed: int = 0, width: int = 2) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.Linear(width, 2)
    )
    model(torch.randn(4, 1, 3, 3))  # fills the running statistics
    return model


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    """Bit by bit, and of one type."""
    return list(one) == list(two) and all(
        (one[name].dtype, one[name].shape, one[name].numpy().tobytes())
        == (two[name].dtype, two[name].shape, two[name].numpy().tobytes())
        for name in one
    )


@pytest.mark.parametrize("make", [net, Odd, lambda seed: nn.ReLU()])
def test_weights_are_loaded_bit_by_bit(make: Any, tmp_path: Path) -> None:
    model, other = make(seed=0), make(seed=1)
    weights.save(model, tmp_path / "a.npz")
    before = state(model)
    assert weights.load(other, tmp_path / "a.npz") is True
    assert same(state(other), before)
    assert same(state(model), before)
    assert all(parameter.requires_grad for parameter in other.parameters())


def test_the_file_is_a_numpy_archive_with_the_same_bytes_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, write = list[Path](), durable.write

    def note(path: Path, data: bytes) -> None:
        written.append(path)
        write(path, data)

    monkeypatch.setattr(durable, "write", note)
    for name in ("a.npz", "b.npz"):
        weights.save(net(), tmp_path / name)
    assert written == [tmp_path / "a.npz", tmp_path / "b.npz"]
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert {name: archive[name].tobytes() for name in archive.files} == {
            name: tensor.numpy().tobytes() for name, tensor in net().state_dict().items()
        }


UNTRAINED = net(seed=1)


def not_loaded(path: Path, model: nn.Module = UNTRAINED) -> bool:
    """Whether loading says that it failed, and changes nothing."""
    before = state(model)
    return weights.load(model, path) is False and same(state(model), before)


def test_missing_files_and_other_formats_are_not_loaded(tmp_path: Path) -> None:
    assert not_loaded(tmp_path / "missing.npz")
    assert not_loaded(tmp_path)
    path = tmp_path / "a.npz"
    array = io.BytesIO()
    np.save(array, np.zeros(3))
    for content in (
        b"",
        b"\0",
        b"PK\x03\x04",
        b"text" * 100,
        array.getvalue(),
        pickle.dumps({"a": 1}),
    ):
        path.write_bytes(content)
        assert not_loaded(path)


def test_weights_of_another_network_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    weights.save(net(width=3), path)
    assert not_loaded(path)
    for other in (
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten()),
        nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2), nn.Linear(2, 2)
        ),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2), nn.Flatten()),
        net().double(),
        nn.ReLU(),
    ):
        weights.save(other, path)
        assert not_loaded(path)


def test_truncated_files_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    weights.save(nn.Linear(1, 1), path)
    whole, untrained = path.read_bytes(), nn.Linear(1, 1)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert not_loaded(path, untrained)


@pytest.mark.fault(57)
def test_a_file_with_a_changed_byte_is_loaded_unchanged_or_not_at_all(tmp_path: Path) -> None:
    path, trained, model = tmp_path / "a.npz", nn.Linear(1, 1), nn.Linear(1, 1)
    weights.save(trained, path)
    whole, right, before = path.read_bytes(), state(trained), state(model)
    loaded = 0
    for position in range(len(whole)):
        for flip in (0xFF, 1 << position % 8):
            path.write_bytes(
                whole[:position] + bytes([whole[position] ^ flip]) + whole[position + 1 :]
            )
            if weights.load(model, path):
                loaded += 1
                assert same(model.state_dict(), right)
                model.load_state_dict(before)
            else:
                assert same(model.state_dict(), before)
    assert 0 < loaded < len(whole), "only some fields of the format, such as dates, mean nothing"


@pytest.mark.fault(51)
@pytest.mark.parametrize("whole", [True, False])
def test_a_pickle_is_never_run(whole: bool, tmp_path: Path) -> None:
    path, canary = tmp_path / "a.npz", tmp_path / "canary"
    if whole:
        path.write_bytes(pickle.dumps(Canary(canary)))
    else:
        arrays: dict[str, Any] = {
            name: tensor.numpy() for name, tensor in net().state_dict().items()
        }
        arrays["3.bias"] = np.array([Canary(canary)] * 2, dtype=object)
        np.savez(path, **arrays)
    assert not_loaded(path)
    assert not canary.exists()


@pytest.mark.fault(56)
def test_no_file_takes_more_memory_than_its_size(tmp_path: Path) -> None:
    lying, packed = tmp_path / "lying.npz", tmp_path / "packed.npz"
    for shape in ("(2, 99999999999)", "(2, 9999999999999999999999)", "(-1,)", "(" * 3000):
        weights.save(net(), lying)
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
        with zipfile.ZipFile(lying, "a") as archive:
            archive.writestr(
                "extra.npy",
                b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64),
            )
        assert not_loaded(lying)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.weight.npy", bytes(1 << 25))
    assert packed.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        assert not_loaded(packed)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
