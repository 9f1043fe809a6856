"""Reads a hub source in a process of its own, whose environment is all that it knows of the Hub.

Called as `python -m tests.dataset_hub.reading JSON`; prints what it found, or the error, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def read(url: str, home: Path, *, environ: dict[str, str] | None = None, **wish: Any) -> Any:
    """Return columns, rows, count, identity and commit of a source; or `error` and its `text`.

    `wish`: the keys of `dataset.source`; `only` for one answer; `most_kept_bytes`; `repeat`.
    """
    plain = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    ours = {"HF_ENDPOINT": url, "HF_HOME": str(home), "PYTHONPATH": str(ROOT), **(environ or {})}
    done = subprocess.run(
        [sys.executable, "-m", "tests.dataset_hub.reading", json.dumps(wish)],
        env={**plain, **ours},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def main(wish: dict[str, Any]) -> dict[str, Any]:
    from tunekit.dataset import hub
    from tunekit.errors import TunekitError
    from tunekit.model import Location, Source

    hub.MOST_KEPT_BYTES = wish.pop("most_kept_bytes", hub.MOST_KEPT_BYTES)
    only = wish.pop("only", None)
    start_s = time.monotonic()
    source = Source(**wish)
    try:
        reader = hub.HubSource.of(source, Location("pii.yaml", 5, 3))
        if only == "resolve":
            return {"commit": hub.resolve(source)}
        if only == "identity":
            loaded = "datasets" in sys.modules or "huggingface_hub" in sys.modules
            return {"identity": reader.identity(), "loaded": loaded}
        if only == "count":
            total = sum(1 for _ in reader.rows())
            # The peak of getrusage begins with the parent's.
            peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
            return {"count": total, "peak_kib": int(peak)}
        rows = [[row.line, row.values] for row in reader.rows()]
        return {
            "rows": rows,
            "columns": list(reader.columns()),
            "count": reader.count(),
            "identity": reader.identity(),
        }
    except TunekitError as error:
        seconds = time.monotonic() - start_s
        return {"error": type(error).__name__, "text": str(error), "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
