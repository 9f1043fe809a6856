"""Training files: JSON lines in each of the services' formats, to (prompt, response) rows."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .wire import JSON

MOST_TOKENS = 131_072
MOST_VALIDATION_ROWS = 5_000
# Beyond so many validation rows they may be at most 30% of the training rows.
FREE_VALIDATION_ROWS = 1_000
_ROWS_SHOWN = 3
_BUCKETS = 10


class RowsRefused(Exception):
    """The data set can't be trained on; its text is what the job's error says."""


@dataclass(frozen=True, slots=True)
class Row:
    """One example: what is asked, what is to be answered, and the turns it was read from."""

    prompt: str
    response: str
    contents: Sequence[JSON]


def prompt_of(contents: Any) -> str:
    """Return the text of all turns, a line break between them; system turns are left out."""
    texts = []
    for turn in contents if isinstance(contents, list) else [contents]:
        if isinstance(turn, str):
            texts.append(turn)
        elif isinstance(turn, dict) and turn.get("role") != "system":
            texts.append(_text_of(turn))
    return "\n".join(texts)


def count_tokens(text: str) -> int:
    """Return the number of words and marks; the emulator's own measure, not a model's."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def read_rows(data: bytes, uri: str, kind: str) -> list[Row]:
    """Return the rows of a file: kind `gemini`, `preference` or `open`. Raises RowsRefused."""
    rows, faults = [], []
    for number, line in enumerate(data.decode("utf-8", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_READERS[kind](json.loads(line)))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            why = "it is not JSON" if isinstance(error, json.JSONDecodeError) else _reason(error)
            faults.append(f"line {number}: {why}")
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise RowsRefused(
            f"Failed to process the dataset {uri}: {'; '.join(faults[:5])}{more}. "
            "Refer to the supervised tuning dataset format."
        )
    if not rows:
        raise RowsRefused(f"The dataset {uri} has no examples.")
    return rows


def _reason(error: Exception) -> str:
    return str(error) if type(error) is ValueError else "it has not the fields of the format"


def _text_of(turn: JSON) -> str:
    parts = turn["parts"]
    return "".join(part.get("text", "") for part in parts)


def _read_gemini(line: JSON) -> Row:
    contents = line["contents"]
    if not isinstance(contents, list) or len(contents) < 2:
        raise ValueError("contents must have a user and a model turn")
    if any(turn.get("role") not in ("user", "model", "system") for turn in contents):
        raise ValueError("each turn's role must be user or model")
    if contents[-1]["role"] != "model":
        raise ValueError("contents must end with a turn of the model")
    return Row(prompt_of(contents[:-1]), _text_of(contents[-1]), contents)


def _read_preference(line: JSON) -> Row:
    contents, completions = line["contents"], line["completions"]
    if contents[-1]["role"] != "user":
        raise ValueError("contents must end with a turn of the user")
    if sorted(completion["score"] for completion in completions) != [0, 1]:
        raise ValueError("completions must be two, with the scores 1 and 0")
    chosen = max(completions, key=lambda completion: float(completion["score"]))
    return Row(prompt_of(contents), _text_of(chosen["completion"]), contents)


def _read_open(line: JSON) -> Row:
    if "messages" in line:
        turns = [
            {"role": turn["role"], "parts": [{"text": turn["content"]}]}
            for turn in line["messages"]
        ]
        if turns[-1]["role"] != "assistant":
            raise ValueError("messages must end with a message of the assistant")
        return Row(prompt_of(turns[:-1]), _text_of(turns[-1]), turns)
    prompt, completion = line["prompt"], line["completion"]
    if not isinstance(prompt, str) or not isinstance(completion, str):
        raise ValueError("prompt and completion must be text")
    return Row(prompt, completion, [{"role": "user", "parts": [{"text": prompt}]}])


_READERS: dict[str, Callable[[Any], Row]] = {
    "gemini": _read_gemini,
    "preference": _read_preference,
    "open": _read_open,
}


def check_validation(train: Sequence[Row], validation: Sequence[Row]) -> None:
    """Raise RowsRefused where there are more validation rows than the service takes."""
    count = len(validation)
    if count > MOST_VALIDATION_ROWS:
        raise RowsRefused(f"The validation dataset has {count} examples; at most 5000 are allowed.")
    if count > FREE_VALIDATION_ROWS and count > 0.3 * len(train):
        raise RowsRefused(
            f"The validation dataset has {count} examples, more than 30% of the training dataset."
        )


def data_stats(rows: Sequence[Row], *, kind: str, steps: int) -> JSON:
    """Return a job's tuningDataStats; token counts are of one epoch, as the service's are."""
    inputs = [count_tokens(row.prompt) for row in rows]
    outputs = [count_tokens(row.response) for row in rows]
    sizes = map(sum, zip(inputs, outputs, strict=True))
    cut = [number for number, size in enumerate(sizes, start=1) if size > MOST_TOKENS]
    stats: JSON = {
        "tuningDatasetExampleCount": str(len(rows)),
        "tuningStepCount": str(steps),
        "totalBillableTokenCount": str(sum(inputs) + sum(outputs)),
    }
    shown = [[_plain(turn) for turn in row.contents] for row in rows[:_ROWS_SHOWN]]
    if kind == "preference":
        stats["userDatasetExamples"] = [{"contents": contents} for contents in shown]
        stats["userInputTokenDistribution"] = _counted(inputs)
        stats["userOutputTokenDistribution"] = _counted(outputs)
        return {"preferenceOptimizationDataStats": stats}
    stats["userDatasetExamples"] = [turn for contents in shown for turn in contents]
    stats["userInputTokenDistribution"] = _billed(inputs)
    stats["userOutputTokenDistribution"] = _billed(outputs)
    if cut:
        stats["totalTruncatedExampleCount"] = str(len(cut))
        stats["truncatedExampleIndices"] = [str(i) for i in cut[:10]]
    return {"supervisedTuningDataStats": stats}


def _plain(turn: JSON) -> JSON:
    return {"role": turn["role"], "parts": [{"text": _text_of(turn)}]}


def _distribution(counts: Sequence[int]) -> JSON:
    ordered = sorted(counts)
    low, high = ordered[0], ordered[-1]
    width = max((high - low) / _BUCKETS, 1e-9)
    filled = [0] * _BUCKETS
    for count in ordered:
        filled[min(int((count - low) / width), _BUCKETS - 1)] += 1
    return {
        "sum": float(sum(ordered)),
        "min": float(low),
        "max": float(high),
        "mean": statistics.fmean(ordered),
        "median": float(statistics.median(ordered)),
        "p5": float(ordered[int(0.05 * (len(ordered) - 1))]),
        "p95": float(ordered[int(0.95 * (len(ordered) - 1))]),
        "buckets": [
            {"count": float(n), "left": low + i * width, "right": low + (i + 1) * width}
            for i, n in enumerate(filled)
        ],
    }


def _counted(counts: Sequence[int]) -> JSON:
    # Here a bucket's count is an int64, in supervised tuning a double.
    found = _distribution(counts)
    buckets = [{**bucket, "count": str(int(bucket["count"]))} for bucket in found["buckets"]]
    return {**found, "buckets": buckets}


def _billed(counts: Sequence[int]) -> JSON:
    total = str(sum(counts))
    return {**_distribution(counts), "sum": total, "billableSum": total}
