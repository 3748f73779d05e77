import torch
from torch import nn

from nas.training.recalibration import recalibrate


def test_statistics_are_those_of_the_inputs_however_they_were_before() -> None:
    inputs = 3.0 * torch.rand(50, 4) - 1.0
    model = nn.Sequential(nn.BatchNorm1d(4), nn.BatchNorm1d(4, momentum=0.3))
    for _ in range(3):
        model(100.0 + inputs)
    recalibrate(model, inputs)
    first, second = model
    assert isinstance(first, nn.BatchNorm1d)
    assert isinstance(second, nn.BatchNorm1d)
    torch.testing.assert_close(first.running_mean, inputs.mean(0))
    torch.testing.assert_close(first.running_var, inputs.var(0))
    assert (first.momentum, second.momentum) == (0.1, 0.3)
    model.eval()
    torch.testing.assert_close(model(inputs).mean(0), torch.zeros(4), atol=1e-5, rtol=0)


def test_a_network_without_batch_normalization_is_not_even_run() -> None:
    recalibrate(nn.Sequential(nn.Linear(3, 3)), torch.zeros(2, 7))
