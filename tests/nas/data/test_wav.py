import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import wavfile

from nas.data import DataError
from nas.data.load import load_task
from nas.data.scored import held_out, load_scored
from nas.data.wav import BANDS, log_mel, mel_bands, read_wavs

RATE = 8000


def tone(frequency: float, seconds: float = 0.25) -> NDArray[np.float32]:
    time = np.arange(round(RATE * seconds)) / RATE
    return (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def write(folder: Path, count: int = 5) -> Path:
    for name, frequency in (("high", 2000.0), ("low", 200.0)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            wave = tone(frequency + number)
            wavfile.write(folder / name / f"{number}.wav", RATE, (wave * 2**15).astype(np.int16))
    return folder


def test_bands_of_a_tone_are_those_of_its_pitch(tmp_path: Path) -> None:
    features, labels, names, division = read_wavs(write(tmp_path))
    assert features.shape == (10, BANDS, 11)  # frames of 40 ms, each 20 ms after the last, in 250
    assert (labels.tolist(), names, bool(division)) == ([0] * 5 + [1] * 5, ("high", "low"), False)
    loudest = features.mean(2).argmax(1)
    corners = 700 * (
        10 ** (np.linspace(math.log10(1 + 20 / 700), math.log10(1 + 4000 / 700), BANDS + 2)) - 1
    )
    for label, frequency in ((0, 2002.0), (1, 202.0)):
        centre = corners[1:-1][loudest[labels == label][2]]
        assert abs(centre - frequency) < 0.15 * frequency


def test_types_of_samples_say_the_same(tmp_path: Path) -> None:
    wave = tone(440.0)
    stereo = np.stack([wave, wave], 1)
    kinds = {
        "float": wave,
        "int16": (wave * 2**15).astype(np.int16),
        "int32": (wave.astype(np.float64) * 2**31).astype(np.int32),
        "stereo": stereo,
        "uint8": (wave * 128 + 128).astype(np.uint8),
    }
    (tmp_path / "a").mkdir()
    for name, samples in kinds.items():
        wavfile.write(tmp_path / "a" / f"{name}.wav", RATE, samples)
    (tmp_path / "_noise_").mkdir()  # which is no class
    features, _, names, _ = read_wavs(tmp_path)
    assert names == ("a",)
    loud = features[0] > np.log(1e-3)
    assert loud.any()
    for other, tolerance in zip(features[1:], (0.01, 0.01, 1e-6, 0.1), strict=True):
        np.testing.assert_allclose(other[loud], features[0][loud], atol=tolerance)


def test_shorter_recordings_end_in_silence(tmp_path: Path) -> None:
    write(tmp_path)
    wavfile.write(tmp_path / "low" / "short.wav", RATE, tone(200.0, 0.1))
    features = read_wavs(tmp_path)[0]
    np.testing.assert_allclose(features[-1][:, 6:], np.log(1e-6))
    bands = mel_bands(RATE, 320)
    np.testing.assert_allclose(features[-1][:, :3], log_mel(tone(200.0), bands, 160)[:, :3])


def test_recordings_are_searched_as_signals_and_found_again(tmp_path: Path) -> None:
    task = load_task(str(write(tmp_path)))
    assert task.example.shape == (1, BANDS, 11)
    assert task.class_names == ("high", "low")
    found = held_out(str(tmp_path), task.digest)
    assert found is not None
    assert torch.equal(found.split.inputs, task.test.inputs)
    with pytest.raises(DataError, match="must be scored with the run"):
        load_scored(str(tmp_path), (BANDS, 11), 2)


def test_lists_say_which_recordings_are_for_the_test(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "testing_list.txt").write_text("low/1.wav\nhigh/3.wav\n")
    (tmp_path / "validation_list.txt").write_text("low/0.wav\n")
    parts = read_wavs(tmp_path)[3].part
    assert parts is not None
    assert [place for place, part in enumerate(parts) if part == "test"] == [3, 6]
    assert len(load_task(str(tmp_path)).validation.labels) == 1
    (tmp_path / "testing_list.txt").write_text("low/9.wav\n")
    with pytest.raises(DataError, match=r"testing_list.txt must name recordings of .* 'low/9.wav'"):
        load_task(str(tmp_path))


def test_recordings_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    odd = write(tmp_path) / "low" / "odd.wav"
    for rate, samples, message in (
        (RATE, b"RIFF", r"odd\.wav must be a WAV file, but it cannot be read"),
        (16000, tone(1.0), r"odd\.wav must have 8000 samples a second .* but has 16000"),
        (RATE, np.full(400, np.nan, np.float32), r"odd\.wav must hold finite samples"),
    ):
        if isinstance(samples, bytes):
            odd.write_bytes(samples)
        else:
            wavfile.write(odd, rate, samples)
        with pytest.raises(DataError, match=message):
            read_wavs(tmp_path)
    odd.unlink()
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="none must hold at least one recording"):
        read_wavs(tmp_path)


def test_recordings_shorter_than_a_frame_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    wavfile.write(tmp_path / "a" / "b.wav", RATE, tone(100.0, 0.01))
    with pytest.raises(DataError, match="must have 320 samples or more, but have at most 80"):
        read_wavs(tmp_path)
