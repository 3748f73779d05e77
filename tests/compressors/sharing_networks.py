"""A network whose weights share values, its images and its training."""

import torch
from torch import Tensor, nn

from nas.seeds import seeded


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(seed: int = 0) -> nn.Sequential:
    with seeded(seed):
        model = nn.Sequential(
            *(nn.Conv2d(2, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(32, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 5)),
        )
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.normal_(module.weight)  # gains of both signs
                nn.init.normal_(module.bias)
                assert module.running_mean is not None
                module.running_mean.normal_()
    return model


IMAGES = noise(40, 2, 6, 6)


LABELS = torch.arange(40) % 5


LAYERS = ["0", "3", "7", "10"]


def train(model: nn.Module, steps: int = 15) -> nn.Module:
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(IMAGES), LABELS).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model
