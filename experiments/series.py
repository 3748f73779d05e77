"""A search for the smallest accurate network for signals, trained from scratch."""

from compressors.quantization import Quantization
from nas.data.load import load_task
from nas.experiment import Experiment
from nas.measure.boards import BoardName, limits_on
from nas.objective import Budget, Objective
from nas.seeds import generator
from nas.training.recipe import Recipe
from search_spaces.temporal import Temporal
from strategies.auto import AutoName, strategy_for
from strategies.multi_fidelity.halving import Fidelity, at_fidelity


def series(
    data: str,
    size_bytes: int = 4096,
    flash_bytes: int | None = None,
    macs: int | None = None,
    peak_memory_bytes: int | None = None,
    strategy: AutoName = "auto",
    trials: int = 40,
    samples: int | None = None,
    epochs: int = 20,
    finetune_epochs: int = 10,
    fidelity: Fidelity = "full",
    seed: int = 0,
    board: BoardName | None = None,
    preprocessing: bool = False,
) -> Experiment:
    """Searches for a network for signals: of sensors, of speech, of an electrocardiogram.

    Of a thousand signals of 128 samples it takes some ten minutes on two cores.

    Args:
        data: a CSV file with a column id, whose rows of one id are the moments of a signal, a column
            for each channel, and a column label; or an .npz archive with signals, [N, C, T], and
            labels
        size_bytes: largest size of the packed file: a number of bytes, or 6kB, or 6KiB
        flash_bytes: largest size of the program as a device stores it, in bytes
        macs: largest number of multiply-accumulates for one signal
        peak_memory_bytes: largest peak memory of activations, in bytes
        strategy: search strategy; auto is what is best for one or several objectives and the trials;
            tpe and gp need the extra optuna
        trials: number of candidates to train
        samples: training signals of the search; without it, all; candidates that are trained again
            get all
        epochs: training epochs before quantization
        finetune_epochs: training epochs after it
        fidelity: full trains all candidates for all epochs; halving (successive halving) and
            hyperband train many for few epochs and the best of them longer
        seed: seed of the search and of training; the split of the data is fixed
        board: a board whose flash and memory limit flash_bytes and peak_memory_bytes, where they are not
            smaller already: uno, pico, nano33ble, stm32f4, stm32h7 or esp32
        preprocessing: files say how raw values become inputs, and are longer by 5 bytes and 8 for each
            channel
    """
    task = load_task(data, generator(0, "data"))
    if task.example.ndim != 3:
        raise ValueError(
            f"{data} must hold signals, but its samples are {list(task.example.shape[1:])}: "
            "a CSV file has a column id, an archive an array named signals, [N, C, T]"
        )
    limits = {
        "size_bytes": size_bytes,
        "flash_bytes": flash_bytes,
        "macs": macs,
        "peak_memory_bytes": peak_memory_bytes,
    }
    objective = Objective(
        maximize=("accuracy",),
        minimize=("size_bytes",),
        budget=Budget(limits_on(board, limits)),
    )
    return Experiment(
        space=Temporal(),
        compressors=(Quantization(),),
        task=task,
        samples=samples,
        recipe=Recipe(epochs=epochs, finetune_epochs=finetune_epochs, batch_size=32),
        objective=objective,
        strategy=at_fidelity(
            fidelity, strategy_for(strategy, objective, trials), epochs + finetune_epochs
        ),
        trials=trials,
        packs_preprocessing=preprocessing,
        seed=seed,
    )


if __name__ == "__main__":
    from nas.cli.main import run_script

    run_script(series)
