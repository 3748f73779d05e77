"""Programs, and the float networks that they are compared with, as ONNX."""

from nas.artifact.onnx.floating import float_to_onnx
from nas.artifact.onnx.integer import to_onnx

__all__ = ["float_to_onnx", "to_onnx"]
