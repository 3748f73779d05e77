"""`nas board`: TensorBoard for a run."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from nas.cli.command_parser import command_parser

HOST = "127.0.0.1"


def main(arguments: Sequence[str]) -> None:
    """Runs `nas board`."""
    parser = command_parser(
        "board", "Opens TensorBoard on the curves of a run, for this machine alone."
    )
    parser.add_argument("directory", type=Path, help="a run directory")
    parser.add_argument(
        "--port", type=int, default=0, help="the port to serve on (default: any that is free)"
    )
    options = parser.parse_args(arguments)
    url = start_board(options.directory, options.port)
    print(f"{url} shows {options.directory}; Ctrl-C ends it", flush=True)
    # Ctrl-C is how a server is meant to end. TensorBoard serves in a thread that ends with ours.
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def start_board(out: Path, port: int = 0) -> str:
    """Starts TensorBoard on the logs of a run, on the loopback interface alone, and returns its URL.

    `port` 0 is any that is free. It serves until this process ends.

    Raises:
        ValueError: if the run has no logs, or the port cannot be had.
    """
    folder = out / "tb"
    if not folder.is_dir():
        raise ValueError(
            f"a run must have TensorBoard's logs to be shown, but {folder} is missing: nas run writes them"
        )
    # Here, because only a refusal should not wait for it.
    from tensorboard.default import get_plugins
    from tensorboard.program import TensorBoard, TensorBoardServerException

    board = TensorBoard(get_plugins())
    given = ["nas board", "--logdir", str(folder), "--host", HOST, "--port", str(port)]
    board.configure(argv=given)
    try:
        return str(board.launch())
    except TensorBoardServerException as error:
        raise ValueError(f"a port must be free, but {error}") from error
