"""Fake quantisation: networks that compute in floats what their integer program computes in integers."""

from nas.quantize.calibrate import calibrate
from nas.quantize.insert import insert_ranges
from nas.quantize.layers import QuantizedConv2d, QuantizedLinear, layer_levels, rescale
from nas.quantize.ranges import FusedReLU, Range
from nas.quantize.roles import Role, UnsupportedError, role
from nas.quantize.weights import weight_levels

__all__ = [
    "FusedReLU",
    "QuantizedConv2d",
    "QuantizedLinear",
    "Range",
    "Role",
    "UnsupportedError",
    "calibrate",
    "insert_ranges",
    "layer_levels",
    "rescale",
    "role",
    "weight_levels",
]
