import pytest
import torch
from torch import Tensor, nn

from nas.lowering import lower
from nas.quantize import ActivationQuantizer, UnsupportedError, insert_quantizers
from nas.quantize.learned_quantizers import (
    DynamicQuantizer,
    LsqQuantizer,
    PactQuantizer,
    activation_quantizer,
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "made", [PactQuantizer(4), LsqQuantizer(4), ActivationQuantizer(4, "fixed")]
)
def test_after_calibration_a_learned_range_rounds_like_a_fixed_one(
    made: ActivationQuantizer,
) -> None:
    plain = ActivationQuantizer(4).eval()
    for module in (made, plain):
        module.set_ends(-1.0, 3.0)
    x = noise(100) * 3
    assert torch.allclose(made.train()(x), plain(x), atol=1e-6)
    assert made.levels() == pytest.approx(plain.levels())


@pytest.mark.parametrize(
    ("made", "end"), [(PactQuantizer(8), 0.2), (LsqQuantizer(2), 9.0), (LsqQuantizer(8), 0.2)]
)
def test_a_learned_range_fits_its_inputs(made: ActivationQuantizer, end: float) -> None:
    x = noise(64, 50)
    made.set_ends(-end, end)
    before = (made(x) - x).square().mean().item()
    optimizer = torch.optim.Adam(made.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        (made(x) - x).square().mean().backward()
        optimizer.step()
    assert (made(x) - x).square().mean().item() < 0.5 * before


@pytest.mark.parametrize("made", [PactQuantizer(4), LsqQuantizer(4)])
def test_the_scale_and_zero_point_of_a_learned_range_describe_its_outputs(
    made: ActivationQuantizer,
) -> None:
    made.set_ends(-1.3, 2.9)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(0.7)
    scale, zero = made.levels()
    said = made(torch.linspace(-5.0, 5.0, 3001))
    assert torch.allclose(said / scale, (said / scale).round(), atol=1e-4)
    assert ((said / scale).round() + zero).unique().tolist() == list(range(16))
    assert torch.tensor(scale, dtype=torch.float32).item() == scale
    assert scale == pytest.approx(0.7 * 4.2 / 15)
    made.set_ends(-1.3, 2.9)
    assert made.levels()[0] == pytest.approx(4.2 / 15)


def test_a_learned_step_counts_the_features_of_one_sample() -> None:
    gradients = []
    for count in (1, 16):
        made = LsqQuantizer(4)
        made.set_ends(0.0, 1.0)
        made(noise(1, 10).expand(count, 10)).mean().backward()
        assert made.ratio.grad is not None
        gradients.append(made.ratio.grad.item())
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-4)


def test_a_rectified_pact_quantizer_learns_one_end() -> None:
    made = PactQuantizer(4, rectified=True)
    made.set_ends(0.0, 1.0)
    made(noise(100)).sum().backward()
    assert made.ratios.shape == (1,)
    assert made.ratios.grad is not None
    assert made.ratios.grad.item() == (noise(100) > 15.5 / 15).sum()


@pytest.mark.parametrize("made", [PactQuantizer(4), LsqQuantizer(4)])
def test_the_gradient_of_a_ratio_is_that_of_the_ends_or_the_step(made: ActivationQuantizer) -> None:
    made.set_ends(-1.0, 3.0)
    (ratios,) = made.parameters()
    with torch.no_grad():
        ratios.fill_(0.5)
    x = torch.tensor([[9.0, 9.0, -9.0]])
    made(x).backward(torch.tensor([[1.0, 1.0, 10.0]]))
    assert ratios.grad is not None
    if isinstance(made, PactQuantizer):
        assert ratios.grad.tolist() == pytest.approx([6.0, -10.0])
    else:
        # The levels are -4 to 11 where the ratio is 1, the gradient of the step is times 1 / √(3 ·
        # 15).
        assert ratios.grad.item() == pytest.approx((11 + 11 - 40) * 4 / 15 / 45**0.5)


@pytest.mark.parametrize("made", [PactQuantizer(4), LsqQuantizer(4)])
def test_a_ratio_below_the_smallest_counts_as_the_smallest(made: ActivationQuantizer) -> None:
    made.set_ends(-1.0, 3.0)
    (ratios,) = made.parameters()
    with torch.no_grad():
        ratios.fill_(1e-5)
    made(torch.tensor([[9.0, -9.0]])).sum().backward()
    assert made.levels()[0] == pytest.approx(4e-3 / 15)
    assert ratios.grad is not None
    assert (ratios.grad == 0).all()


def test_an_average_range_follows_slowly_in_both_directions() -> None:
    made = ActivationQuantizer(8, "average").train()
    made.set_ends(-1.0, 1.0)
    made(torch.tensor([-3.0, 5.0]))
    assert made.ends() == pytest.approx((-1.02, 1.04))
    fixed = ActivationQuantizer(8, "fixed").train()
    fixed.set_ends(-1.0, 1.0)
    fixed(torch.tensor([-3.0, 5.0]))
    assert fixed.ends() == (-1.0, 1.0)


def test_a_dynamic_range_is_that_of_the_batch() -> None:
    made = DynamicQuantizer(8)
    for factor in (1.0, 100.0):
        x = factor * noise(200)
        step = float(x.max() - x.min()) / 255
        assert (made(x) - x).abs().max() <= 0.5001 * step
        assert len(made(x).unique()) > 50


def test_a_dynamic_range_has_no_integer_program() -> None:
    model = insert_quantizers(nn.Sequential(nn.Linear(3, 2)), 8)
    for name in ("input_1", "_0"):
        model.set_submodule(f"ranges.{name}", DynamicQuantizer(8))
    with pytest.raises(
        UnsupportedError,
        match=r"must be constants of an integer program, but .* computed when a network runs.*calibrate",
    ):
        lower(model, noise(4, 3))


def test_each_activation_method_has_its_quantizer() -> None:
    assert isinstance(activation_quantizer(8, "pact", rectified=True), PactQuantizer)
    assert isinstance(activation_quantizer(8, "lsq", rectified=False), LsqQuantizer)
    made = activation_quantizer(5, "average", rectified=True)
    assert (made.bits, made.range_update, made.rectified) == (5, "average", True)
