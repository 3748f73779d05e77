"""The processor time of an epoch of distillation, as a ratio to a plain one: soft labels, hints and
attention maps.
"""

import argparse
import statistics
import time

import torch
from torch import nn

from nas.data import digits
from nas.seeds import generator, seeded
from nas.space import Design
from nas.training.distil import Distillation
from nas.training.fit import Loss, cross_entropy, fit
from nas.training.hints import Hint
from nas.training.recipe import Recipe
from search_spaces.conv_stages import ConvStages


def network(width: int) -> nn.Module:
    """Three stages of one plain convolution each."""
    design = {
        f"stage{i}.{kind}": option
        for i in range(3)
        for kind, option in (("op", "conv3x3"), ("width", width), ("depth", 1))
    }
    with seeded(0):
        return ConvStages().build(Design(design), torch.zeros(1, 1, 8, 8), 10)


def main() -> None:
    """Prints a row for each loss; ratios are medians over rounds that train one epoch with each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    task, teacher, recipe = digits(generator(0, "digits")), network(48), Recipe()
    student = network(24)
    place = [name for name, module in student.named_modules() if isinstance(module, nn.ReLU)][-1]
    losses: dict[str, Loss] = {"plain": cross_entropy}
    hinted = {
        "soft labels": (),
        "projection": (Hint(place, place),),
        "attention": (Hint(place, place, attention=True),),
    }
    for name, hints in hinted.items():
        losses[name] = Distillation(teacher, task.train.inputs, 0.5, 4.0, hints)
    shuffle, times = torch.Generator().manual_seed(0), []
    for _ in range(rounds):
        row = []
        for loss in losses.values():
            start = time.process_time()
            fit(student, task, recipe, epochs=1, lr=1e-3, loss=loss, generator=shuffle)
            row.append(time.process_time() - start)
        times.append(row)
    print(f"{'loss':<14}{'ms an epoch':>12}{'ratio':>8}")
    for position, name in enumerate(losses):
        taken = 1000 * statistics.median(row[position] for row in times)
        print(
            f"{name:<14}{taken:>12.1f}{statistics.median(row[position] / row[0] for row in times):>8.2f}"
        )


if __name__ == "__main__":
    main()
