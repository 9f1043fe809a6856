"""Data sets as people and machines read them: sizes, lengths, differences."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tunekit.model import Example, Experiment, Location, RowIndex, SplitInfo
from tunekit.plan import RowChanges
from tunekit.plan.rows import summary
from tunekit.plan.tokens import Counted
from tunekit.views.output import Column, Output, Table
from tunekit.views.text import bar, line, plural

# Positions -> rows, of the old side and of the new one.
Texts = tuple[Mapping[int, Example], Mapping[int, Example]]

_BAR = 30


def show_json(
    *,
    name: str,
    experiment: Experiment,
    fingerprint: str,
    splits: Mapping[str, SplitInfo],
    jobs: Sequence[str],
) -> dict[str, Any]:
    """Return what identifies a data set, as plain data."""
    return {
        "name": name,
        "source": str(experiment.dataset.source),
        "method": experiment.tuning.method,
        "provider": experiment.provider,
        "has_system_instruction": experiment.dataset.system_instruction is not None,
        "fingerprint": fingerprint,
        "splits": {
            split: {**asdict(info), "histogram": list(info.histogram)}
            for split, info in splits.items()
        },
        "tuned_on_by": list(jobs),
    }


def print_shown(output: Output, content: Mapping[str, Any]) -> None:
    """Print it."""
    output.styled(content["name"], "bold")
    for title, value in (
        ("source", content["source"]),
        ("fingerprint", content["fingerprint"]),
        ("jobs tuned on it", ", ".join(content["tuned_on_by"]) or "none"),
    ):
        output.text(f"  {title:<18}{line(value)}")
    columns = (
        Column("SPLIT", "split"),
        Column("ROWS", "rows", is_number=True),
        Column("CHARACTERS", "characters", is_number=True),
        Column("TOKENS (GUESSED)", "tokens", is_number=True),
        Column("DIGEST", "digest"),
    )
    rows = [
        {
            "split": split,
            "digest": info["digest"][:16],
            **{key: f"{info[key]:,}" for key in ("rows", "characters", "tokens")},
        }
        for split, info in content["splits"].items()
    ]
    output.text()
    output.table(Table(columns, rows))


def stats_json(info: SplitInfo, index: RowIndex | None) -> dict[str, Any]:
    """Return a split's lengths; of one whose rows are not on record only the sums."""
    found: dict[str, Any] = {
        "rows": info.rows,
        "characters": info.characters,
        "tokens": info.tokens,
        "histogram": [
            {"from": 2**n // 2, "to": max(2**n - 1, 0), "rows": rows}
            for n, rows in enumerate(info.histogram)
        ],
    }
    if index is not None and len(index):
        ordered = sorted(index.tokens)
        found |= {
            "row_tokens": {
                "min": ordered[0],
                "mean": round(statistics.fmean(ordered), 1),
                "median": ordered[len(ordered) // 2],
                "p95": ordered[int(0.95 * (len(ordered) - 1))],
                "max": ordered[-1],
            },
            "repeated_rows": len(index) - len(set(index.hashes)),
            "repeated_inputs": len(index) - len(set(index.keys)),
        }
    return found


def counted_json(counted: Counted) -> dict[str, Any]:
    """Return what was counted, billable tokens of one epoch, beside the guess."""
    ratio = counted.ratio
    return {**asdict(counted), "ratio": None if ratio is None else round(ratio, 4)}


def print_stats(output: Output, content: Mapping[str, Any]) -> None:
    """Print each split's lengths, with a bar a bucket."""
    for split, stats in content["splits"].items():
        output.styled(f"{split}: {stats['rows']:,} rows, {stats['tokens']:,} tokens", "bold")
        if lengths := stats.get("row_tokens"):
            output.text("  a row: " + ", ".join(f"{k} {v:,}" for k, v in lengths.items()))
            repeats = (stats["repeated_rows"], stats["repeated_inputs"])
            output.text(f"  repeated: {repeats[0]:,} rows, {repeats[1]:,} inputs")
        most = max((bucket["rows"] for bucket in stats["histogram"]), default=0)
        for bucket in stats["histogram"]:
            if bucket["rows"]:
                span = f"{bucket['from']:,}-{bucket['to']:,}"
                drawn = bar(bucket["rows"] / most, _BAR)
                output.text(f"  {span:>17} tokens {drawn} {bucket['rows']:,}")
        if counted := stats.get("counted"):
            _print_counted(output, counted)
    if by := content.get("counted_by"):
        who = by["provider"] if by["by"] == "provider" else "its tokenizer on this machine"
        output.text(
            f"Tokens are {content['tokens_are']}, but for those counted: by {who}, for "
            f"{by['model']}, as an epoch of training bills them."
        )
        return
    output.text(f"Tokens are {content['tokens_are']}; nobody has counted them.")


def _print_counted(output: Output, counted: Mapping[str, Any]) -> None:
    times = "" if counted["ratio"] is None else f", x {counted['ratio']:.2f}"
    output.text(
        f"  counted: {counted['sample_tokens']:,} tokens in {plural(counted['sample_rows'], 'row')}"
        f" (guessed {counted['sample_guess']:,}{times})"
    )
    margin = counted["margin"]
    about = f" ± {margin:,}" if margin else ""
    output.text(
        f"  all rows: {counted['total']:,}{about} billable tokens an epoch "
        f"(guessed {counted['split_guess']:,})"
    )


def diff_json(
    changes: RowChanges,
    indexes: tuple[RowIndex, RowIndex],
    *,
    texts: Texts,
    places: tuple[Callable[[int], Location], Callable[[int], Location]],
) -> dict[str, Any]:
    """Return every row that differs: its number in its split, from 1, its place, its tokens."""
    old, new = indexes

    def row(side: int, place: int) -> dict[str, Any]:
        index = (old, new)[side]
        found: dict[str, Any] = {
            "row": place + 1,
            "where": str(places[side](index.lines[place])),
            "tokens": index.tokens[place],
        }
        if (example := texts[side].get(place)) is not None:
            found["text"] = {
                key: value
                for key in ("prompt", "response", "rejected")
                if (value := getattr(example, key)) is not None
            }
        return found

    return {
        "summary": summary(changes),
        "tokens": changes.tokens,
        "is_reordered": changes.is_reordered,
        "added": [row(1, place) for place in changes.added],
        "removed": [row(0, place) for place in changes.removed],
        "changed": [
            {"before": row(0, before), "after": row(1, after)} for before, after in changes.changed
        ],
    }


def print_diff(output: Output, content: Mapping[str, Any], *, most: int) -> None:
    """Print the first `most` rows of each kind, split by split."""
    output.styled(f"{content['before']} -> {content['after']}", "bold")
    for split, found in content["splits"].items():
        if found is None:
            output.text(f"{split}: which rows differ is not on record")
            continue
        output.text(f"{split}: {found['summary']}")
        for sign, style, key in (("+", "green", "added"), ("-", "red", "removed")):
            for row in found[key][:most]:
                output.styled(f"  {sign} {_place(row)}", style)
                _print_text(output, row)
            _print_left(output, len(found[key]), most)
        for pair in found["changed"][:most]:
            places = f"{_place(pair['before'])} -> {_place(pair['after'])}"
            output.styled(f"  ~ {places}", "yellow")
            for row in pair.values():
                _print_text(output, row)
        _print_left(output, len(found["changed"]), most)


def _place(row: Mapping[str, Any]) -> str:
    return f"row {row['row']:,} ({row['where']}, {row['tokens']:,} tokens)"


def _print_text(output: Output, row: Mapping[str, Any]) -> None:
    for key, text in row.get("text", {}).items():
        output.text(f"      {key}: {text}")


def _print_left(output: Output, count: int, most: int) -> None:
    if count > most:
        output.text(f"    … and {count - most:,} more; --rows {count} lists them")
