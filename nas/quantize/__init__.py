"""Fake quantisation: networks that compute in floats what their integer program computes in integers."""

from nas.quantize.calibrate import calibrate
from nas.quantize.correct import correct_biases
from nas.quantize.equalize import equalized
from nas.quantize.fold import folded
from nas.quantize.insert import insert_ranges, traced_network
from nas.quantize.layers import QuantizedConv2d, QuantizedLinear, has_zero_points, layer_entries, layer_levels, rescale
from nas.quantize.learned_ranges import Activations, DynamicRange
from nas.quantize.quantizers import WeightQuantizer, weight_quantizer
from nas.quantize.ranges import FusedReLU, Range
from nas.quantize.roles import Role, UnsupportedError, role
from nas.quantize.select import Select
from nas.quantize.shared import Codebook, SharedConv2d, SharedLinear, with_positive_gains, written_out
from nas.quantize.weights import weight_levels

__all__ = [
    "Activations",
    "Codebook",
    "DynamicRange",
    "FusedReLU",
    "QuantizedConv2d",
    "QuantizedLinear",
    "Range",
    "Role",
    "Select",
    "SharedConv2d",
    "SharedLinear",
    "UnsupportedError",
    "WeightQuantizer",
    "calibrate",
    "correct_biases",
    "equalized",
    "folded",
    "has_zero_points",
    "insert_ranges",
    "layer_entries",
    "layer_levels",
    "rescale",
    "role",
    "traced_network",
    "weight_levels",
    "weight_quantizer",
    "with_positive_gains",
    "written_out",
]
