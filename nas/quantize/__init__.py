"""Fake quantisation: networks that compute in floats what their integer program computes in integers."""

from nas.quantize.calibrate import calibrate
from nas.quantize.insert import insert_ranges
from nas.quantize.layers import QuantizedConv2d, QuantizedLinear, Range, weight_levels
from nas.quantize.roles import Role, UnsupportedError, role
from nas.quantize.select import Select

__all__ = [
    "QuantizedConv2d",
    "QuantizedLinear",
    "Range",
    "Role",
    "Select",
    "UnsupportedError",
    "calibrate",
    "insert_ranges",
    "role",
    "weight_levels",
]
