"""The rounding of a quantized network, learned from unlabelled images: part by part, then all of it."""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from compressors.segments import segments
from nas.quantize import match_statistics
from nas.seeds import derive
from nas.training.fit import AfterStep
from nas.training.memory_format import to_fastest_format

BATCH = 64
FORWARD_BATCH = 256
STATISTICS = 1024
PART_IMAGES = 2000
LEARNING_RATE = 1e-3
# The share of the steps in which the learning rate rises: what is trained is near its optimum.
WARMUP = 0.1
TEMPERATURE = 4.0

_Error = Callable[[Tensor, Tensor], Tensor]
"""From outputs and wanted outputs to a scalar."""


def reconstruct(
    quantized: nn.Module,
    floating: nn.Module,
    images: Tensor,
    *,
    generator: torch.Generator,
    steps: int = 200,
) -> nn.Module:
    """A copy of a quantized network that gives what the float network gives; no label is needed.

    First each channel gets the mean and the spread that it has in the float network
    (`match_statistics`). Then each part in turn, a layer or a residual block, learns to give the
    output of the same part of the float network while it reads what the quantized parts before it
    give (BRECQ, Li et al., 2021), and at last the whole network learns the answers of the float
    network. Weights are learned through their rounding (AdaQuant, Hubara et al., 2021), with gains,
    biases and learned steps where there are any, by Adam with a one-cycle schedule. Ranges of
    activations that are not learned stay. All that is learned is in the file, whose length changes
    by a hundredth or so.

    Args:
        quantized: A network as `quantize`, `quantize_trained` or `allocate` makes it. It is not
            changed.
        floating: The network that it was made from; for `quantize_trained`,
            `nas.quantize.equalized` of it. It is not changed.
        images: Inputs like those of the task, [N, …]; some thousand. Parts learn from 2,000 of
            them, whose outputs are in memory.
        generator: The order of the images; its first seed also draws those of the statistics and of
            the parts.
        steps: Steps of 64 images for the whole, and half as many for each part; 0 for the
            statistics alone.

    >>> from compressors import quantize
    >>> images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> coarse = quantize(model, 2, images)
    >>> fine = reconstruct(coarse, model, images, generator=torch.Generator().manual_seed(0), steps=20)
    >>> bool((fine(images) - model(images)).norm() < (coarse(images) - model(images)).norm())
    True

    Raises:
        ValueError: if `quantized` is not traced or has no layer, `floating` has other layers, steps
            are negative, or there are no images.
        UnsupportedError: if torch.fx cannot trace `floating`.
    """
    if steps < 0:
        raise ValueError(f"the steps of reconstruction must be 0 or more, but got {steps}")
    if len(images) == 0:
        raise ValueError("there must be images to reconstruct a network on, but got none")
    if len(images) > STATISTICS:  # rows are often sorted
        shuffle = torch.Generator().manual_seed(derive(generator.initial_seed(), "reconstruct"))
        images = images[torch.randperm(len(images), generator=shuffle)]
    made, original = copy.deepcopy(quantized).eval(), copy.deepcopy(floating).eval()
    parts = segments(made, original)
    match_statistics(made, original, images[:STATISTICS])
    if steps == 0:
        return made
    for network in (made, original):
        to_fastest_format(network, images[:2])
    answers, matched = _outputs(original, images), copy.deepcopy(made.state_dict())
    before = _error(made, images, answers, _divergence)
    given = wanted = images[:PART_IMAGES]
    for part in parts:
        wanted = _outputs(part.floating, wanted)
        _learn(part.quantized, given, wanted, nn.functional.mse_loss, -(-steps // 2), generator)
        given = _outputs(part.quantized, given)
    _learn(made, images, answers, _divergence, steps, generator)
    # Parts that come closer each can still give a network that does not.
    if not _error(made, images, answers, _divergence) < before:
        made.load_state_dict(matched)
    return made


def _outputs(part: nn.Module, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([part(batch.clone()) for batch in torch.split(inputs, FORWARD_BATCH)])


def _divergence(outputs: Tensor, wanted: Tensor) -> Tensor:
    """T² · KL(wanted ‖ outputs) of logits [N, classes], softened by T (Hinton et al., 2015)."""
    given, soft = ((x / TEMPERATURE).log_softmax(1) for x in (outputs, wanted))
    divergence = nn.functional.kl_div(given, soft, reduction="batchmean", log_target=True)
    return divergence * TEMPERATURE**2


def _learn(
    part: nn.Module,
    given: Tensor,
    wanted: Tensor,
    error: _Error,
    steps: int,
    generator: torch.Generator,
) -> None:
    """Minimizes the error of a part, in place and in evaluation mode; it stays as it was if the
    error has not become smaller.
    """
    before, kept = _error(part, given, wanted, error), copy.deepcopy(part.state_dict())
    # Without weight decay, which would pull weights away from those that were trained.
    optimizer = torch.optim.Adam(part.parameters(), lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps + 1, pct_start=WARMUP, cycle_momentum=False
    )
    updated = [module for module in part.modules() if isinstance(module, AfterStep)]
    batches = _batches(len(given), generator)
    for _ in range(steps):
        index = next(batches)
        optimizer.zero_grad(set_to_none=True)
        error(part(given[index]), wanted[index]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        for module in updated:
            module.after_step(1.0)
    if not _error(part, given, wanted, error) < before:
        part.load_state_dict(kept)


def _error(part: nn.Module, given: Tensor, wanted: Tensor, error: _Error) -> float:
    few = slice(STATISTICS)
    return float(error(_outputs(part, given[few]), wanted[few]))


def _batches(count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Positions of images, each once before any comes again, for ever."""
    while True:
        yield from torch.split(torch.randperm(count, generator=generator), BATCH)
