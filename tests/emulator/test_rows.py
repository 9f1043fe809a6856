"""What the emulator tells of a job's rows."""

from __future__ import annotations

from tunekit.emulator.rows import MOST_TOKENS, Row, data_stats


def test_rows_that_were_cut_are_numbered_from_one_as_documented() -> None:
    short, long = Row("a", "b", []), Row("a " * MOST_TOKENS, "b", [])
    stats = data_stats([short, long, short, long], kind="gemini", steps=4)
    said = stats["supervisedTuningDataStats"]
    assert said["truncatedExampleIndices"] == ["2", "4"]
    assert said["totalTruncatedExampleCount"] == "2"
