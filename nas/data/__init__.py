"""Tasks: data sets for classification or regression, and readers of the formats that they come in."""

from nas.data.breast_cancer import breast_cancer
from nas.data.cifar import read_cifar10, read_cifar100
from nas.data.csv_file import read_csv
from nas.data.digits import digits
from nas.data.files import DataError
from nas.data.folder import read_images
from nas.data.idx import read_idx, read_mnist
from nas.data.load import load_task
from nas.data.npz import read_npz
from nas.data.splits import hold_out, split
from nas.data.standardized import standardized
from nas.data.standardized_targets import standardized_targets
from nas.data.stratified import stratified
from nas.data.task import Split, Task

__all__ = [
    "DataError",
    "Split",
    "Task",
    "breast_cancer",
    "digits",
    "hold_out",
    "load_task",
    "read_cifar10",
    "read_cifar100",
    "read_csv",
    "read_idx",
    "read_images",
    "read_mnist",
    "read_npz",
    "split",
    "standardized",
    "standardized_targets",
    "stratified",
]
