"""Networks for the tests of several packages."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class Wired(nn.Module):
    """Named layers and parameters, and a function that connects them: `Wired(run, conv=…, head=…)`."""

    def __init__(
        self, run: Callable[["Wired", Tensor], Tensor], **parts: nn.Module | nn.Parameter
    ) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def __getitem__(self, name: str) -> Callable[..., Tensor]:
        return self.get_submodule(name)

    def tensor(self, name: str) -> Any:
        return getattr(self, name)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)
