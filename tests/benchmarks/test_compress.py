from pathlib import Path

import pytest

from benchmarks.compress import main

OPTIONS = ("--network", "lenet_300_100", "--epochs", "2", "--finetune-epochs", "1", "--seeds", "1")


@pytest.mark.slow
def test_a_table_can_be_made_in_pieces(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def facts(*options: str) -> list[list[str]]:
        """The rows, without their times."""
        weights = str(tmp_path / "weights")
        main([*OPTIONS, "--data", str(data), "--weights", weights, "--bytes", "60000", *options])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("|  | bytes | test accuracy | points lost |")
        return [[cell.strip() for cell in line.split("|")[1:5]] for line in lines[2:]]

    whole = facts("--methods", "uniform", "allocated", "--bits", "4", "2")
    pieces = facts("--methods", "uniform", "--bits", "4", "2")
    pieces += facts("--methods", "allocated")[1:]
    assert whole == pieces
    assert [row[0] for row in whole] == [
        "seed 0, floats",
        "4 bits in all layers",
        "2 bits in all layers",
        "allocated, 60,000 bytes, not trained",
    ]
    floats, *files = [int(row[1].replace(",", "")) for row in whole]
    assert floats == 4 * 266_610 > files[0] > files[1]
    assert files[2] <= 60_000
    assert all(float(row[2]) > 0.8 for row in whole)
    with pytest.raises(ValueError, match="must hold weights made by"):
        facts("--samples", "200")
