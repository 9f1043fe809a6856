"""Make the example data: `support_pii.jsonl` and `support_intents.csv`, the same every time.

    python experiments/data/generate.py            write both files
    python experiments/data/generate.py --check    exit 1 if they are not what it makes

All of it is invented.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from random import Random

import intent_messages
import pii_messages

SEED = 20_250_301
FOLDER = Path(__file__).parent


def main(arguments: list[str]) -> int:
    files = {
        FOLDER / "support_pii.jsonl": json_lines(pii_messages.make_rows(Random(SEED))),
        FOLDER / "support_intents.csv": comma_separated(intent_messages.make_rows(Random(SEED))),
    }
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if not arguments:
        for path, content in files.items():
            path.write_bytes(content)
        return 0
    stale = [
        path.name
        for path, content in files.items()
        if not path.is_file() or path.read_bytes() != content
    ]
    for name in stale:
        print(f"{name} is not what generate.py makes; run it without --check", file=sys.stderr)
    return 1 if stale else 0


def json_lines(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def comma_separated(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
