"""Programs as TensorFlow Lite models, for LiteRT and TensorFlow Lite Micro."""

from nas.tflite.integer import to_tflite

__all__ = ["to_tflite"]
