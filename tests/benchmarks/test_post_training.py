import torch
from torch import nn

from benchmarks.post_training import METHODS
from nas.packed import unpack
from nas.seeds import seeded


def test_every_method_gives_a_file_of_about_the_bytes() -> None:
    images = torch.rand(96, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with seeded(0):
        model = nn.Sequential(
            *(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(144, 10)),
        ).eval()
    files = {name: method(model, images, 600) for name, method in METHODS.items()}
    assert all(unpack(file).tensors[-1].shape == (10,) for file in files.values())
    assert len(files["reconstruct_to"]) <= 600
    # Biases that are corrected after bits are allocated may need a bit more each.
    assert all(len(file) < 650 for file in files.values())
    # Nothing can be learned from so few images: what was not better is not kept.
    assert len(set(files.values())) >= len(files) - 1
