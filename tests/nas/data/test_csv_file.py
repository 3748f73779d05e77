from pathlib import Path

import numpy as np
import pytest

from nas.data import DataError, read_csv

TABLE = """sepal; color ;Class;width
1.5;red;b;
2.5;blue;a;1
?; red ;b;3
"""

SERIES = """id,time,x,y,label
one,2,3,30,walk
one,1,2,20,walk
two,1,5,50,run
two,2,6,60,run
"""


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "data.csv").write_text(text)
    return tmp_path / "data.csv"


def test_a_table_has_numbers_texts_and_missing_values(tmp_path: Path) -> None:
    values, labels, names = read_csv(write(tmp_path, TABLE))
    nan = np.nan
    expected = [[1.5, 0, 1, nan], [2.5, 1, 0, 1], [nan, 0, 1, 3]]
    np.testing.assert_array_equal(values, expected)
    assert labels.tolist() == [1, 0, 1]
    assert names == ("a", "b")


def test_labels_are_the_last_column_without_a_name_and_numbers_in_order(tmp_path: Path) -> None:
    values, labels, names = read_csv(write(tmp_path, "a,b\n1,10\n2,9\n3,10\n"))
    assert values.tolist() == [[1.0], [2.0], [3.0]]
    assert (labels.tolist(), names) == ([1, 0, 1], ("9", "10"))


def test_rows_of_one_id_are_the_moments_of_a_signal(tmp_path: Path) -> None:
    values, labels, names = read_csv(write(tmp_path, SERIES))
    assert values.tolist() == [[[2, 3], [20, 30]], [[5, 6], [50, 60]]]
    assert (labels.tolist(), names) == ([1, 0], ("run", "walk"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold at least one value"),
        ("a,b\n", "has 2 columns and 0 rows"),
        ("a,b\n1,2\n1\n", "row 3 has 1"),
        (
            "a,label\n1,x\n2,\n",
            "must have a label in each row, in column 'label', but row 3 has none",
        ),
        ("a,label\n" + "".join(f"t{n},x\n" for n in range(21)), "at most 20 texts, but holds 21"),
        (SERIES + "two,3,7,70,run\n", "must have one length, but 'one' has 2 rows and 'two' has 3"),
        (SERIES.replace("two,2,6,60,run", "two,2,6,60,walk"), "must have one label, but 'two'"),
        (SERIES.replace("60", "high"), "column 'y' of .* must hold numbers"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_csv(write(tmp_path, text))


def test_a_missing_file_and_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a CSV file, but it is missing"):
        read_csv(tmp_path / "none.csv")
    (tmp_path / "data.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="must be a CSV file, but it cannot be read"):
        read_csv(tmp_path / "data.csv")
