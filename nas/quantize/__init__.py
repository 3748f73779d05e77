"""Fake quantization: networks that compute in floats what their integer program computes in
integers.
"""

from nas.quantize.activation_quantizers import ActivationQuantizer, FusedReLU
from nas.quantize.calibrate import calibrate
from nas.quantize.codebook import Codebook
from nas.quantize.constants import ChannelAffine
from nas.quantize.correct import channel_ends, correct_biases
from nas.quantize.equalize import equalized
from nas.quantize.fold import folded
from nas.quantize.insert import insert_quantizers, quantizers_inserted, traced_network
from nas.quantize.integer_layer import IntegerLayer, dense
from nas.quantize.learned_quantizers import (
    ActivationMethod,
    DynamicQuantizer,
    LsqQuantizer,
    PactQuantizer,
)
from nas.quantize.positive_norm import negate_channels, with_positive_gains
from nas.quantize.quantized_layers import (
    QuantizedConv1d,
    QuantizedConv2d,
    QuantizedLinear,
    integer_layer,
    quantized_layer,
)
from nas.quantize.roles import Role, role
from nas.quantize.select import Select
from nas.quantize.shared_layers import SharedConv1d, SharedConv2d, SharedLinear, shared_layer
from nas.quantize.statistics import match_statistics
from nas.quantize.weight_levels import weight_levels
from nas.quantize.weight_quantizers import WeightQuantizer, weight_quantizer
from nas.tracing import UnsupportedError

__all__ = [
    "ActivationMethod",
    "ActivationQuantizer",
    "ChannelAffine",
    "Codebook",
    "DynamicQuantizer",
    "FusedReLU",
    "IntegerLayer",
    "LsqQuantizer",
    "PactQuantizer",
    "QuantizedConv1d",
    "QuantizedConv2d",
    "QuantizedLinear",
    "Role",
    "Select",
    "SharedConv1d",
    "SharedConv2d",
    "SharedLinear",
    "UnsupportedError",
    "WeightQuantizer",
    "calibrate",
    "channel_ends",
    "correct_biases",
    "dense",
    "equalized",
    "folded",
    "insert_quantizers",
    "integer_layer",
    "match_statistics",
    "negate_channels",
    "quantized_layer",
    "quantizers_inserted",
    "role",
    "shared_layer",
    "traced_network",
    "weight_levels",
    "weight_quantizer",
    "with_positive_gains",
]
