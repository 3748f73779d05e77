"""Networks that users give: a function that makes one, and a file of weights that cannot run code."""

from pathlib import Path

from torch import nn

from nas.python_file import import_file
from nas.training import checkpoint

_PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")


def load_network(source: str, weights: Path | None) -> nn.Module:
    """The network that a function without arguments returns, FILE.py:FUNCTION, with the weights of
    a file if one is given.

    Raises:
        ValueError: if there is no such function, it returns no network, or the weights are not of
            that network (`load_weights`).
    """
    file, _, name = source.partition(":")
    function = getattr(import_file(Path(file)), name, None) if name else None
    if not callable(function):
        raise ValueError(
            f"a network must be FILE.py:FUNCTION, a function without arguments that returns it, but got {source!r}"
        )
    model = function()
    if not isinstance(model, nn.Module):
        raise ValueError(f"{source} must return a torch.nn.Module, but returned {type(model)}")
    if weights is not None:
        load_weights(model, weights)
    return model


def load_weights(model: nn.Module, path: Path) -> None:
    """Sets the state of `model` from a file: safetensors, or what `nas.training.checkpoint` wrote,
    .npz.

    Raises:
        ValueError: if the file is missing, damaged or of another network, or is a pickle, which
            could run any code.
    """
    if path.suffix in _PICKLES:
        raise ValueError(
            f"weights must be a file of safetensors, because opening a pickle can run any code, but got {path}: convert it "
            "once, where it comes from a source that you trust: safetensors.torch.save_model(model, 'weights.safetensors')"
        )
    if path.suffix == ".npz":
        if not checkpoint.load(model, path):
            raise ValueError(
                f"{path} must hold weights of the network, but is missing, damaged or of another network"
            )
        return
    # Imported here, because most searches load no such file.
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    try:
        load_model(model, path)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"{path} must hold weights of the network as safetensors, but: {error}"
        ) from error
