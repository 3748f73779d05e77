"""Programs, and the float networks that they are compared with, as ONNX."""

from nas.onnx.floating import float_to_onnx
from nas.onnx.integer import to_onnx

__all__ = ["float_to_onnx", "to_onnx"]
