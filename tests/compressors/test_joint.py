from torch import nn

from compressors.joint import JOINT_COMPRESSORS, joint_choices
from experiments.compression import residual_network
from nas.data import digits
from nas.seeds import generator

TASK = digits(generator(0, "digits"))


def test_every_kind_of_compression_is_a_choice_and_each_group_has_one_ratio() -> None:
    choices = joint_choices(residual_network(TASK, 8), TASK.example)
    assert {choice.kind for choice in choices} == {
        compressor.kind for compressor in JOINT_COMPRESSORS
    }
    assert [choice.site for choice in choices if choice.kind == "drop"] == [
        "block0",
        "block1",
        "block2",
    ]
    assert [choice.site for choice in choices if choice.kind == "prune"] == [
        "stem.0",
        *(f"block{i}.first" for i in range(3)),
    ]
    assert [choice.site for choice in choices if choice.kind == "bits"] == [
        *("stem.0", *(f"block{i}.{name}" for i in range(3) for name in ("first", "second")), "head")
    ]
    assert {
        choice.site.partition(".")[0] for choice in choices if choice.kind == "codebook_size"
    } == {
        "block0",
        "block1",
        "block2",
    }
    dropped = choices.decode([1] * 3 + [0] * (len(choices) - 3))
    assert set(dropped) == {
        "block0.drop",
        "block1.drop",
        "block2.drop",
        "stem.0.prune",
        "stem.0.bits",
        "head.bits",
    }


def test_a_network_without_blocks_or_layers_of_weight_has_fewer_choices() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    assert [choice.name for choice in joint_choices(model, TASK.example)] == [
        *("1.prune", "1.bits", "1.sparsity", "1.rank", "1.codebook_size"),
        "3.bits",
    ]
    twice = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    )
    twice[3] = twice[1]
    assert [
        choice.name for choice in joint_choices(twice, TASK.example) if choice.kind == "bits"
    ] == [
        "1.bits",
        "5.bits",
    ]
