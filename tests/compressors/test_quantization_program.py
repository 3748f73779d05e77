from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compressors.quantization import Quantization
from nas.lowering import lower, lower_all_channels, snapped
from nas.packed import flash_bytes, pack, unpack
from nas.program import Layer, logits
from nas.quantize.weight_levels import Granularity
from nas.seeds import seeded
from tests.compressors.quantization_networks import IMAGES, network, noise

METHODS: list[tuple[int, dict[str, Any]]] = [
    *[(bits, {}) for bits in range(1, 9)],
    *[(bits, {"weight_scales": "tensor"}) for bits in (1, 2, 4)],
    *[
        (bits, {"weights": "lsq", "weight_scales": scales})
        for bits in (1, 2, 4, 8)
        for scales in ("channel", "tensor")
    ],
    *[(2, {"weights": "ternary", "weight_scales": scales}) for scales in ("channel", "tensor")],
    *[
        (bits, {"weights": "affine", "weight_scales": scales})
        for bits in range(1, 9)
        for scales in ("channel", "tensor")
    ],
    *[
        (bits, {"weights": weights, "weight_scales": scales})
        for bits in (2, 4)
        for weights in ("mse", "affine_mse")
        for scales in ("channel", "tensor")
    ],
    *[
        (4, {"activations": "fixed", "ranges": method})
        for method in ("minmax", "moving_average", "percentile")
    ],
    *[
        (4, {"activations": "fixed", "ranges": method})
        for method in ("squared_error", "entropy", "mean_magnitude")
    ],
    *[(4, {"activations": "average", "activation_bits": bits}) for bits in (2, 5)],
    *[(4, {"activations": "pact", "activation_bits": bits}) for bits in (2, 4, 8)],
    *[
        (4, {"activations": "lsq", "activation_bits": bits, "ranges": "mean_magnitude"})
        for bits in (2, 4, 8)
    ],
]


@pytest.mark.parametrize(("bits", "options"), METHODS)
@pytest.mark.parametrize("gains", ["none", "ones", "of both signs"])
def test_the_program_gives_the_outputs_of_the_trained_network(
    bits: int, options: dict[str, Any], gains: str
) -> None:
    normed = gains != "none"
    with seeded(bits):
        norms = [nn.BatchNorm2d(6) if normed else nn.Identity() for _ in range(2)]
        first, second = (
            nn.Conv2d(2, 6, 3, bias=not normed),
            nn.Conv2d(6, 6, 3, groups=6, bias=not normed),
        )
        model = nn.Sequential(
            first, norms[0], nn.ReLU(), second, norms[1], nn.ReLU(), nn.Flatten(), nn.Linear(24, 5)
        )
        if gains == "of both signs":
            for norm in norms:
                nn.init.normal_(norm.get_parameter("weight"))
    quantized = Quantization(**options).apply(model, {"": bits}, IMAGES)
    quantized.train()
    optimizer = torch.optim.AdamW(quantized.parameters(), lr=0.01)
    for _ in range(8):
        optimizer.zero_grad()
        nn.functional.cross_entropy(quantized(IMAGES), torch.arange(8) % 5).backward()  # type: ignore[no-untyped-call]
        assert all(
            parameter.grad is not None and parameter.grad.isfinite().all()
            for parameter in quantized.parameters()
        )
        optimizer.step()
    program = lower(snapped(quantized), IMAGES)
    layers = [operation for operation in program.operations if isinstance(operation, Layer)]
    assert [layer.weights.bits for layer in layers] == [bits] * 3
    affine = options.get("weights") in ("affine", "affine_mse") and bits > 1
    assert [layer.weights.zero_points is not None for layer in layers] == [affine] * 3
    inputs = noise(200, 2, 6, 6, seed=1)
    with torch.no_grad():
        said = quantized.eval()(inputs).numpy()
    step = program.tensors[-1].scale
    off = np.abs(logits(unpack(pack(program)), inputs) - said) / step
    assert (off < 0.01).mean() > 0.995
    assert off.max() < 1.5


@pytest.mark.parametrize("scales", ["channel", "tensor"])
def test_affine_weights_are_counted_before_they_are_trained(scales: Granularity) -> None:
    sizes = {}
    for weights in ("max", "affine"):
        method = Quantization(
            weights="affine" if weights == "affine" else "max", weight_scales=scales
        )
        for bits in (1, 2, 4, 8):
            found = []
            for seed in (0, 1):
                model = network()
                with seeded(seed):
                    for parameter in model.parameters():
                        nn.init.normal_(parameter)
                program = lower_all_channels(method.apply(model, {"a": bits}, IMAGES), IMAGES)
                found.append(flash_bytes(program))
                assert len(pack(program)) <= found[-1]
            assert found[0] == found[1]
            sizes[weights, bits] = found[0]
    # Two bytes, and the zero points of four channels at the same bit-width.
    assert [sizes["affine", bits] - sizes["max", bits] for bits in (1, 2, 4, 8)] == [
        0,
        2 + 1,
        2 + 2,
        2 + 4,
    ]
