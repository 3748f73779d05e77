"""A search for the smallest accurate network for signals, trained from scratch."""

from compressors.quantization import Quantization
from experiments.options import FirstOf, SearchOptions
from nas.data.load import load_task
from nas.experiment import Experiment
from nas.training.distil import Teacher
from nas.training.recipe import Recipe
from search_spaces.temporal import Temporal

DEFAULTS = SearchOptions(size_bytes=4096, trials=40)
TEACHER = FirstOf(
    Temporal(
        widths=((32,), (48,), (64,)), stages=(3,), depths=(2,), operators=("conv",), kernels=(5,)
    )
)


def series(data: str, options: SearchOptions = DEFAULTS) -> Experiment:
    """Searches for a network for signals: of sensors, of speech, of an electrocardiogram.

    Of 600 signals of two channels and 128 samples it takes some three minutes on two cores, and in
    proportion to their number; four trials gave a file of 831 bytes that tells the README's gestures
    apart.

    Args:
        data: a CSV file with a column id, whose rows of one id are the moments of a signal, a column
            for each channel, and a column label; an .npz archive with signals, [N, C, T], and
            labels; or a folder with a subfolder of WAV recordings for each class
    """
    task = load_task(data)
    if task.example.ndim != 3:
        raise ValueError(
            f"{data} must hold signals, but its samples are {list(task.example.shape[1:])}: "
            "a CSV file has a column id, an archive an array named signals, [N, C, T], a folder recordings"
        )
    return options.experiment(
        space=Temporal(),
        compressors=(Quantization(),),
        task=task,
        recipe=Recipe(batch_size=32),
        teacher=Teacher(build=TEACHER),
    )


if __name__ == "__main__":
    from nas.cli.main import run_script

    run_script(series)
