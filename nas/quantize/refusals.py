"""What has no integer form, and what to use instead."""

from collections.abc import Mapping

INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(
        ("MultiheadAttention", "scaled_dot_product_attention", "TransformerEncoderLayer"),
        "a gate, x * sigmoid(conv(pool(x))), or convolutions",
    ),
    **dict.fromkeys(
        ("LayerNorm", "layer_norm", "RMSNorm"), "nn.BatchNorm2d, whose statistics are constants"
    ),
    **dict.fromkeys(
        ("GroupNorm", "group_norm", "InstanceNorm1d", "InstanceNorm2d", "instance_norm"),
        "nn.BatchNorm2d, whose statistics are constants",
    ),
    **dict.fromkeys(
        ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"),
        "convolutions over time",
    ),
    **dict.fromkeys(("Embedding", "EmbeddingBag", "embedding"), "inputs of one number a class"),
    **dict.fromkeys(
        ("Conv3d", "ConvTranspose3d", "MaxPool3d", "AvgPool3d", "BatchNorm3d"),
        "frames as channels of an nn.Conv2d",
    ),
    **dict.fromkeys(
        ("ConvTranspose1d", "ConvTranspose2d"),
        "a padding of at most dilation * (kernel_size - 1), and a copy by nas.tracing.independent_copy,",
    ),
    **dict.fromkeys(
        ("Softmax", "LogSoftmax", "Softmin", "Softmax2d", "softmax", "log_softmax", "softmin"),
        "one at the very end of the network, which is left out because the class stays, or a sigmoid",
    ),
    **dict.fromkeys(
        ("ReflectionPad2d", "ReplicationPad2d", "CircularPad2d"),
        "nn.UpsamplingNearest2d or nn.ZeroPad2d",
    ),
    **dict.fromkeys(("Bilinear", "bilinear"), "nn.Linear"),
    **dict.fromkeys(
        ("conv1d", "conv2d", "linear", "batch_norm", "prelu"),
        "the module, nn.Conv2d, nn.Linear, nn.BatchNorm2d or nn.PReLU, whose weights are found by name",
    ),
    **dict.fromkeys(("matmul", "bmm", "einsum"), "nn.Linear, or an nn.Conv2d of one pixel"),
    **dict.fromkeys(("LPPool2d", "FractionalMaxPool2d"), "nn.AvgPool2d or nn.MaxPool2d"),
    **dict.fromkeys(("max", "min", "maximum", "minimum"), "a sum, or nn.MaxPool2d"),
    "expand": "one value for each channel, [C, 1, 1], or a gate [N, C, 1, 1], which need none",
    "LocalResponseNorm": "nn.BatchNorm2d",
    "GLU": "a product with a sigmoid: x * torch.sigmoid(y)",
    "Dropout3d": "nn.Dropout",
    "stack": "torch.cat",
    "RReLU": "nn.LeakyReLU",
}
"""What can be used instead of the modules and functions of these names."""


def advice(name: str) -> str:
    """What to use instead of a module or function, as the end of an error message."""
    return f"; use {INSTEAD[name]} instead" if name in INSTEAD else ""
