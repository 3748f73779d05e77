from .conv_blocks import ConvBlocks as ConvBlocks
from .conv_stages import ConvStages as ConvStages
from .first_networks import first_networks as first_networks
from .mlp import Mlp as Mlp
from .trained_network import TrainedNetwork as TrainedNetwork
from .with_activation_bits import WithActivationBits as WithActivationBits
from .with_recipe import WithRecipe as WithRecipe
