"""How long it takes to look at a long run: `python -m benchmarks.showing`, in processor time."""

import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from nas.objective import Budget, Epoch, Evaluation, Objective, Status
from nas.runs.journal_format import encode_line, evaluation_to_json, header_of

COUNT = 10_000
OBJECTIVE = Objective(minimize=("size_bytes",), budget=Budget({"size_bytes": 4096}))
COMMANDS = ("show",), ("show", "--trials"), ("show", "--id", "5000"), ("show", "--json")


def made_up(id: int, rng: random.Random) -> Evaluation:
    """One in four is over the budget, one in fifty has failed; the others have 20 epochs."""
    design = {f"stage{n // 3}.block{n % 3}.bits": rng.choice((2, 3, 4, 8)) for n in range(15)}
    status = rng.choices((Status.OK, Status.OVER_BUDGET, Status.FAILED), (73, 25, 2))[0]
    size = rng.uniform(4100, 9000) if status is Status.OVER_BUDGET else rng.uniform(500, 4000)
    costs: dict[str, float] = {
        "size_bytes": round(size),
        "flash_bytes": round(size) + 500,
        "params": 6000,
        "macs": 120000,
    }
    accuracy = round(rng.random() * size / 5000, 4)
    metrics: dict[Status, dict[str, float]] = {
        Status.OK: {"accuracy": accuracy, "accuracy_fake_quant": accuracy, **costs},
        Status.OVER_BUDGET: costs,
        Status.FAILED: {},
    }
    return Evaluation(
        id=id,
        genotype=tuple(rng.randrange(4) for _ in range(15)),
        design=design,
        status=status,
        reason="ValueError: made up (build, line 7)" if status is Status.FAILED else "",
        metrics=metrics[status],
        seconds=rng.uniform(5, 60),
        history=tuple(Epoch(1 / (n + 1), n / 20) for n in range(20)) if status is Status.OK else (),
        finished=1.7e9 + 30 * id,
    )


def write_run(out: Path, count: int = COUNT) -> None:
    """Writes a journal of made-up evaluations, without the disk's acknowledgement of each."""
    rng = random.Random(0)
    header = header_of({"objective": OBJECTIVE.to_json(), "seed": 0}, None)
    lines = [encode_line(evaluation_to_json(made_up(id, rng))) for id in range(count)]
    out.mkdir()
    (out / "journal.jsonl").write_bytes(b"".join([encode_line(header), *lines]))


def main() -> None:
    """Prints a row for each command."""
    program = "import sys, time\nfrom nas.cli.main import main\nmain(sys.argv[1:])\nprint(time.process_time(), file=sys.stderr)"
    print(f"| {COUNT:,} evaluations | processor s | wall s |\n|---|---|---|")
    with TemporaryDirectory() as folder:
        out = Path(folder, "run")
        write_run(out)
        page = str(Path(folder, "page.html"))
        for command in (*COMMANDS, ("report", "--out", page)):
            began = time.perf_counter()
            arguments = [command[0], str(out), *command[1:]]
            told = subprocess.run(
                [sys.executable, "-c", program, *arguments],
                capture_output=True,
                text=True,
                check=True,
            ).stderr
            wall = time.perf_counter() - began
            print(
                f"| nas {' '.join(command[:2])} | {float(told.splitlines()[-1]):.2f} | {wall:.2f} |"
            )


if __name__ == "__main__":
    main()
