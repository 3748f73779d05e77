"""What a trained candidate is worth: the metrics of its packed file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from nas.data import Split
from nas.lowering import lower, snapped
from nas.packed import flash_bytes, pack, unpack, with_preprocessing
from nas.packed.preprocessing import written_preprocessing
from nas.preprocessing import Preprocessing
from nas.program import qualities
from nas.program.rounding import Rounding
from nas.quality import KINDS, TaskKind
from nas.quantize.coverage import calibration_coverage
from nas.training.fit import measured


@dataclass(frozen=True)
class TrainedCandidate:
    """A trained network, and the bytes of the packed file made of it."""

    model: nn.Module
    packed: bytes


def measure(
    model: nn.Module,
    counted: Mapping[str, float],
    validation: Split,
    calibration: Tensor,
    others: Tensor | None = None,
    rounding: Rounding = "single",
    kind: TaskKind = "classification",
    named: Sequence[str] = (),
    preprocessing: Preprocessing | None = None,
) -> tuple[TrainedCandidate, dict[str, float]]:
    """Lowers and packs a trained network; its metrics are those of the packed file, loaded again,
    and the costs that were `counted` before training.

    With `others`, training inputs beside those of `calibration`, there is `calibration_coverage`: the
    share of values on them that the ranges of activations hold, for the tensor with the smallest.
    Metrics of quality are those of runtimes that round by `rounding`: what a task of this `kind` always
    has, and of those that are `named`. With `preprocessing` the
    file has it.

    Raises:
        ValueError: if a cost is above the one counted before training.
    """
    program = lower(snapped(model), calibration)
    packed, more = pack(program), 0
    if preprocessing is not None:
        packed = with_preprocessing(packed, preprocessing)
        more = len(written_preprocessing(preprocessing))
    lowered = {
        "flash_bytes": flash_bytes(program) + more,
        "macs": program.macs,
        "peak_memory_bytes": program.peak_memory,
    }
    # Lowering takes out channels that died in training, so costs may fall. A cost that rises may be
    # over a budget that was checked before.
    risen = [
        f"{name} {counted[name]:g} became {value:g}"
        for name, value in lowered.items()
        if value > counted[name]
    ]
    if risen:
        raise ValueError(f"costs must not rise in training, but {', '.join(risen)}")
    covered = {}
    if others is not None and len(others):
        covered["calibration_coverage"] = calibration_coverage(model, others)
    names, first = KINDS[kind].measured(named), KINDS[kind].score
    found = qualities(unpack(packed), validation, names, kind, rounding=rounding)
    return TrainedCandidate(model, packed), {
        first: found[first],
        f"{first}_fake_quant": measured(model, validation, first),
        **found,
        **covered,
        **counted,
        **{name: float(value) for name, value in lowered.items()},
        "size_bytes": float(len(packed)),
    }
