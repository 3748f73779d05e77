"""The data that a command names."""

from pathlib import Path

from nas.data import Split, digits, read_cifar10, read_images, read_mnist, read_npz
from nas.seeds import generator


def test_split(data: str, shape: tuple[int, ...]) -> Split:
    """The test samples of "digits", a folder or an `.npz` file with `inputs` and `labels`, for
    inputs of a shape.

    A folder holds MNIST's or Fashion-MNIST's IDX files, CIFAR-10's binary version, or a folder of
    images for each class, which are resized to the shape.

    Raises:
        DataError: if the data is damaged or there is none.
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
