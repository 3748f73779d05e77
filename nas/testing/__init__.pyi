from .compressor import check_compressor as check_compressor
from .device import check_device as check_device
from .space import check_space as check_space
from .strategy import check_strategy as check_strategy
