"""Data sets by name or path, for the command line."""

from pathlib import Path

from nas.data import Split, digits, read_cifar10, read_images, read_mnist, read_npz
from nas.seeds import generator


def load_test_split(data: str, shape: tuple[int, ...]) -> Split:
    """The test split of "digits", a folder, or an .npz archive with `inputs` and `labels`.

    A folder holds the files of MNIST or a similar data set, the binary version of CIFAR-10, or a
    subfolder of images for each class; these are resized to `shape`, the shape of an input.

    Raises:
        DataError: if the data is missing or damaged.
    """
    if data == "digits":
        return digits(generator(0, "digits")).test
    path = Path(data)
    if path.suffix == ".npz":
        return read_npz(path, "inputs", "labels")
    if (path / "test_batch.bin").exists():
        return read_cifar10(path)[1]
    if len(shape) == 3 and path.is_dir() and any(entry.is_dir() for entry in path.iterdir()):
        return read_images(path, (shape[1], shape[2]), shape[0])[0]
    return read_mnist(path)[1]
