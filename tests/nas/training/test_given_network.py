import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

from nas.seeds import seeded
from nas.training import checkpoint
from nas.training.given_network import load_network, load_weights

FILE = """
from torch import nn

def make():
    return nn.Linear(4, 3)

def number():
    return 3

WIDTH = 4
"""


def linear(seed: int, width: int = 4) -> nn.Linear:
    with seeded(seed):
        return nn.Linear(width, 3)


def write(model: nn.Module, path: Path) -> Path:
    if path.suffix == ".npz":
        checkpoint.save(model, path)
    else:
        save_model(model, str(path))
    return path


@pytest.mark.parametrize("name", ["w.safetensors", "w.npz"])
def test_weights_come_from_safetensors_or_a_checkpoint(name: str, tmp_path: Path) -> None:
    source, target = linear(0), linear(1)
    load_weights(target, write(source, tmp_path / name))
    assert torch.equal(target.weight, source.weight)
    for other in (write(linear(0, 5), tmp_path / f"other-{name}"), tmp_path / f"none-{name}"):
        with pytest.raises(ValueError, match=f"{other.name} must hold weights of the network"):
            load_weights(target, other)


def test_missing_and_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"weight": linear(0).weight.detach()}, str(path))
    with pytest.raises(ValueError, match="must hold weights of the network as safetensors"):
        load_weights(linear(1), path)
    path.write_bytes(b"\x08\x00")
    with pytest.raises(ValueError, match="must hold weights of the network as safetensors"):
        load_weights(linear(1), path)


@pytest.mark.parametrize("suffix", ["pt", "pth", "bin", "ckpt", "pkl"])
def test_a_pickle_is_refused_unopened_with_how_to_convert_it(suffix: str, tmp_path: Path) -> None:
    path, touched = tmp_path / f"w.{suffix}", tmp_path / "touched"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (touched,)

    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match=r"convert it once, .* safetensors.torch.save_model"):
        load_weights(linear(0), path)
    assert not touched.exists()


def test_a_network_is_made_by_the_function_that_is_named(tmp_path: Path) -> None:
    file, source = tmp_path / "given_for_test.py", linear(0)
    file.write_text(FILE)
    assert isinstance(load_network(f"{file}:make", None), nn.Linear)
    model = load_network(f"{file}:make", write(source, tmp_path / "w.safetensors"))
    assert torch.equal(model.get_parameter("weight"), source.weight)
    for source_text in (str(file), f"{file}:none", f"{file}:WIDTH"):
        with pytest.raises(ValueError, match=r"a network must be FILE\.py:FUNCTION"):
            load_network(source_text, None)
    with pytest.raises(ValueError, match=r"must return a torch\.nn\.Module, but returned"):
        load_network(f"{file}:number", None)
    with pytest.raises(ValueError, match=r"none\.py must be a Python file"):
        load_network(f"{tmp_path / 'none.py'}:make", None)
