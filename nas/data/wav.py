"""Folders of recordings, with a subfolder for each class, as log-mel features."""

import math
import warnings
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nas.data.division import Division
from nas.data.files import DataError, check_size, reading
from nas.data.folder import entries

FRAME_SECONDS, STEP_SECONDS, BANDS = 0.04, 0.02, 40
"""Of the spectra, as for keyword spotting on microcontrollers (Zhang et al., 2017)."""
QUIET = 1e-6
"""Added to energies, of samples within -1 to 1, before their logarithm."""
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
"""Files of Speech Commands (Warden, 2018) that name the recordings of a part, one a line."""

Recordings = tuple[NDArray[np.float64], NDArray[np.int64], tuple[str, ...], Division]


def has_wavs(path: Path) -> bool:
    """Whether a folder holds folders of recordings."""
    return path.is_dir() and next(path.glob("[!._]*/*.wav"), None) is not None


def read_wavs(folder: Path) -> Recordings:
    """The recordings below a folder as log-mel features [N, 40, T], their labels, the names of the
    classes, and the parts that lists name as in `LISTS`.

    Each subfolder with a name that begins with neither a dot nor an underscore is a class; classes are sorted by
    name. Recordings are WAV files of one sampling rate; their channels are averaged, and silence is added
    to the end of those that are shorter than the longest.

    Raises:
        DataError: if there are no classes, a class is empty, a file is not a readable WAV file or has
            another sampling rate than the first, recordings are shorter than a frame, or a list names
            a recording that is not there.
    """
    classes = [path for path in entries(folder, folder) if path.is_dir() and path.name[0] != "_"]
    files = [(path, label) for label, name in enumerate(classes) for path in _wavs(folder, name)]
    waves = list[NDArray[np.float32]]()
    first = 0
    for path, _ in files:
        rate, wave = _wave(path)
        first = first or rate
        if rate != first:
            raise DataError(
                f"{path} must have {first} samples a second as the first recording, but has {rate}"
            )
        waves.append(wave)
    longest = max(map(len, waves))
    frame, step = round(first * FRAME_SECONDS), round(first * STEP_SECONDS)
    if longest < frame:
        raise DataError(
            f"recordings of {folder} must have {frame} samples or more, but have at most {longest}"
        )
    shape = len(waves), BANDS, (longest - frame) // step + 1
    check_size(folder, shape, 8)
    bands, found = mel_bands(first, frame), np.empty(shape)
    for row, wave in zip(found, waves, strict=True):
        row[:] = log_mel(np.pad(wave, (0, longest - len(wave))), bands, step)
    labels = np.array([label for _, label in files], np.int64)
    names = tuple(path.name for path in classes)
    return found, labels, names, _division(folder, [path for path, _ in files])


def log_mel(
    wave: NDArray[np.floating], bands: NDArray[np.float64], step: int
) -> NDArray[np.float64]:
    """The logarithms of the energies of a wave [S] in each band, [bands, T], in frames under a Hann window."""
    frame = 2 * (bands.shape[1] - 1)
    frames = sliding_window_view(wave, frame)[::step] * np.hanning(frame)
    energies = np.abs(np.fft.rfft(frames)) ** 2 / frame
    logarithms: NDArray[np.float64] = np.log(energies @ bands.T + QUIET).T
    return logarithms


def mel_bands(rate: int, frame: int) -> NDArray[np.float64]:
    """Triangles over the frequencies of a frame, [bands, frequencies], as wide as the mel scale says
    (O'Shaughnessy, 1987): they begin at 20 Hz and end at half of the rate.
    """
    first, last = (2595 * math.log10(1 + frequency / 700) for frequency in (20.0, rate / 2))
    corners = 700 * (10 ** (np.linspace(first, last, BANDS + 2) / 2595) - 1)
    frequencies = np.linspace(0, rate / 2, frame // 2 + 1)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    triangles: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    return triangles


def _wavs(root: Path, folder: Path) -> list[Path]:
    found = entries(root, folder)
    if not found:
        raise DataError(f"{folder} must hold at least one recording, but holds none")
    return found


def _wave(path: Path) -> tuple[int, NDArray[np.float32]]:
    """The sampling rate and the samples, -1 to 1, of a file."""
    # Imported here, because it takes a while.
    from scipy.io import wavfile

    with reading(path, "a WAV file"), warnings.catch_warnings():
        warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of notes that players skip too
        check_size(path, (path.stat().st_size,))
        rate, samples = wavfile.read(path)
    if not samples.size:
        raise DataError(f"{path} must hold samples, but holds none")
    if samples.dtype.kind == "f":
        wave = samples.astype(np.float32)
    else:
        middle = 128 if samples.dtype == np.uint8 else 0
        wave = (samples.astype(np.float32) - middle) / (np.iinfo(samples.dtype).max - middle + 1)
    if not np.isfinite(wave).all():
        raise DataError(f"{path} must hold finite samples, but holds others")
    return int(rate), wave if wave.ndim == 1 else wave.mean(1)


def _division(folder: Path, files: list[Path]) -> Division:
    lists = {part: folder / name for part, name in LISTS.items() if (folder / name).is_file()}
    if "test" not in lists:
        return Division()
    places = {path.relative_to(folder).as_posix(): place for place, path in enumerate(files)}
    parts = ["train"] * len(files)
    for part, path in lists.items():
        with reading(path, "a list of recordings"):
            named = path.read_text().split()
        for name in named:
            if name not in places:
                raise DataError(f"{path} must name recordings of {folder}, but names {name!r}")
            parts[places[name]] = part
    return Division(part=parts)
