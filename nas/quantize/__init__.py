"""Fake quantization: networks that compute in floats what their integer program computes in
integers.
"""

from nas.quantize.activation_quantizers import ActivationQuantizer, FusedReLU
from nas.quantize.calibrate import calibrate
from nas.quantize.correct import correct_biases
from nas.quantize.equalize import equalized
from nas.quantize.fold import folded
from nas.quantize.insert import insert_quantizers, traced_network
from nas.quantize.layers import (
    QuantizedConv2d,
    QuantizedLinear,
    has_zero_points,
    layer_entries,
    layer_levels,
    rescale,
)
from nas.quantize.learned_quantizers import Activations, DynamicQuantizer
from nas.quantize.roles import Role, UnsupportedError, role
from nas.quantize.select import Select
from nas.quantize.shared import Codebook, SharedConv2d, SharedLinear, dense, with_positive_gains
from nas.quantize.weight_levels import weight_levels
from nas.quantize.weight_quantizers import WeightQuantizer, weight_quantizer

__all__ = [
    "ActivationQuantizer",
    "Activations",
    "Codebook",
    "DynamicQuantizer",
    "FusedReLU",
    "QuantizedConv2d",
    "QuantizedLinear",
    "Role",
    "Select",
    "SharedConv2d",
    "SharedLinear",
    "UnsupportedError",
    "WeightQuantizer",
    "calibrate",
    "correct_biases",
    "dense",
    "equalized",
    "folded",
    "has_zero_points",
    "insert_quantizers",
    "layer_entries",
    "layer_levels",
    "rescale",
    "role",
    "traced_network",
    "weight_levels",
    "weight_quantizer",
    "with_positive_gains",
]
