import torch
from torch import nn

from benchmarks.post_training import METHODS, packed
from nas.packed import unpack
from nas.seeds import seeded


def test_every_method_gives_a_file_of_about_the_bytes() -> None:
    images = torch.rand(96, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with seeded(0):
        model = nn.Sequential(
            *(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(144, 10)),
        ).eval()
    files = {name: packed(method(model, images, 900), images) for name, method in METHODS.items()}
    assert all(unpack(file).tensors[-1].shape == (10,) for file in files.values())
    # What is learned from so few images may take a bit more.
    assert all(len(file) < 950 for file in files.values())
    assert len(set(files.values())) >= len(files) - 1
