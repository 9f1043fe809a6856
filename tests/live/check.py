"""Run tunekit against the live Vertex AI, once, for a stated sum at most.

    make live-check PROJECT=my-project BUCKET=my-bucket [LOCATION=us-central1] [MOST_USD=1]

Needs Application Default Credentials (`gcloud auth application-default login`) of someone who may
use Vertex AI and write the bucket. It tunes on 100 invented rows, one epoch: one job to its end
(Google takes some ten minutes to an hour, unattended), one that it cancels. Then it removes the
tuned model, its endpoint and the uploaded rows. Nothing of it is a test of pytest's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tunekit.providers.vertex import open_provider
from tunekit.providers.vertex.limits import BASE_MODELS, PRICES_URL

ROWS, HELD_OUT, EPOCHS = 100, 10, 1
MAIN, CANCELLED = "experiments/main.yaml", "experiments/cancelled.yaml"
# Two jobs are submitted, and what a cancelled one costs was never established.
JOBS = 2
# Characters a token, low on purpose: the estimate is to be too high rather than too low.
CHARACTERS_A_TOKEN = 2

SPEC = """\
name: {name}
description: tunekit live check; safe to delete
provider: vertex
base_model: {base_model}
dataset:
  source: {{path: rows.jsonl}}
  columns: {{input: message, output: masked}}
  prompt: "Mask the order number: {{input}}"
  split: {{train: {rows}, test: {held_out}}}
tuning: {{epochs: {epochs}}}
"""


class Failed(Exception):
    """A step that did not end as it should."""


def main() -> int:
    """Run every step; return 0 where all went well."""
    asked = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="tunekit-live-check-"))
    profile = _write_project(folder, asked)
    estimate_usd = _estimate_usd(folder, asked.base_model)
    print(f"Folder: {folder}")
    print(
        f"This tunes {asked.base_model} {JOBS} times on {ROWS} rows for at most about "
        f"{estimate_usd:.3f} USD (prices of {PRICES_URL} as tunekit knows them; {HELD_OUT} short "
        "answers come on top)."
    )
    if estimate_usd > asked.most_usd:
        print(f"Refused: that is more than --most-usd {asked.most_usd:g}. Nothing was submitted.")
        return 2
    if not asked.yes and not _agreed():
        print("Nothing was submitted.")
        return 1
    check = Check(folder)
    try:
        return _run(check)
    finally:
        _clean_up(check, profile)


def _agreed() -> bool:
    try:
        return input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print("\nThere is nobody to ask; `--yes` says yes (make: LIVE_CHECK_FLAGS=--yes).")
        return False


def _run(check: Check) -> int:
    steps = (
        ("doctor finds nothing wrong", check.doctor),
        ("plan has one job to submit, apply submits it, a second apply none", check.submit),
        ("find, list and get know the job", check.know),
        ("a job is cancelled", check.cancel),
        ("the job ends well (this takes long; Ctrl-C and `tunekit wait` in the folder)", check.end),
        ("its loss curve can be read", check.metrics),
        ("the tuned model and its checkpoints answer", check.answer),
    )
    well = 0
    for number, (what, step) in enumerate(steps, 1):
        print(f"[{number}/{len(steps)}] {what} ...", flush=True)
        try:
            print(f"      ok: {step()}", flush=True)
            well += 1
        except Failed as error:
            print(f"      FAILED: {error}", flush=True)
            if step in (check.doctor, check.submit):
                break
    print(f"{well} of {len(steps)} steps went well.")
    return 0 if well == len(steps) else 1


class Check:
    """The steps, each a few commands in the folder; returns what it saw, raises Failed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def doctor(self) -> str:
        checks = self._json("doctor", "--provider", "vertex")["checks"]
        wrong = [
            f"{c['subject']}: {c['fact']}; {c['remedy']}" for c in checks if c["is_ok"] is False
        ]
        if wrong:
            raise Failed("\n        ".join(wrong))
        return f"{len(checks)} checks"

    def submit(self) -> str:
        self._require(self._json("plan", "-f", MAIN)["summary"]["submit"] == 1, "the plan")
        self._tunekit("apply", "-y", "-f", MAIN)
        again = self._json("apply", "-y", "-f", MAIN)
        self._require(not again["plan"]["has_changes"], "the second apply")
        return str(self._job("live-main")["name"])

    def know(self) -> str:
        job = self._job("live-main")
        provider = self._provider()
        found = provider.find(job["token"])
        self._require(found is not None and found.name == job["name"], "find by the token")
        self._require(any(seen.name == job["name"] for seen in provider.list()), "list")
        described = provider.describe(job["name"])
        self._require(described.hyperparameters["epochs"] == EPOCHS, "the epochs that it was given")
        strangers = self._json("discover", "--provider", "vertex")["jobs"]
        self._require(all(s["name"] != job["name"] for s in strangers), "discover")
        return f"{job['state']} {job['detail']}"

    def cancel(self) -> str:
        self._tunekit("apply", "-y", "-f", MAIN, "-f", CANCELLED)
        self._tunekit("cancel", "live-cancelled", "-y", "--wait", ok=(0, 103))
        state = self._job("live-cancelled")["state"]
        self._require(state == "CANCELLED", f"the state, {state},")
        return state

    def end(self) -> str:
        self._tunekit("wait", "live-main", "--timeout", str(3 * 3600), ok=(0, 100, 101, 103))
        job = self._job("live-main")
        self._require(job["state"] == "SUCCEEDED", f"{job['state']} {job['error']}")
        return f"{job['model']} at {job['endpoint']}, {len(job['checkpoints'])} checkpoints"

    def metrics(self) -> str:
        series = self._json("metrics", "live-main")["jobs"][0]["series"]
        self._require(bool(series), "the series")
        return ", ".join(f"{name}: {len(points['values'])}" for name, points in series.items())

    def answer(self) -> str:
        scores = self._json("evaluate", "live-main")["scores"]
        for checkpoint in self._job("live-main")["checkpoints"][:1]:
            self._tunekit(
                "predict", "live-main", "Order #4711", "--target", f"checkpoint:{checkpoint['id']}"
            )
        return str(scores)

    def _provider(self) -> Any:
        options = yaml.safe_load((self.folder / "tunekit.yaml").read_text())["providers"]["vertex"]
        return open_provider(options, self.folder / ".tunekit/vertex", {})

    def _job(self, name: str) -> Any:
        trials = self._json("status")["trials"]
        return next(trial["job"] for trial in trials if trial["name"] == name)

    def _json(self, *arguments: str) -> Any:
        return json.loads(self._tunekit(*arguments, "-o", "json", ok=(0, 1)))

    def _tunekit(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
        command = [sys.executable, "-m", "tunekit", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        if done.returncode not in ok:
            said = (done.stderr or done.stdout).strip()
            raise Failed(f"tunekit {' '.join(arguments)} ended with {done.returncode}: {said}")
        return done.stdout

    def _require(self, is_so: bool, what: str) -> None:
        if not is_so:
            raise Failed(f"{what} is not as it should be")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--project", required=True)
    parser.add_argument("--bucket", required=True, help="without gs://, in the same region")
    parser.add_argument("--location", default="us-central1")
    parser.add_argument("--base-model", default="gemini-3.1-flash-lite", choices=BASE_MODELS)
    parser.add_argument("--most-usd", type=float, default=1.0, help="refuse to spend more")
    parser.add_argument("--endpoint", help="another address, such as an emulator's")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    asked = parser.parse_args()
    for name in ("project", "bucket"):
        if not getattr(asked, name):
            parser.error(f"--{name} is empty; make live-check PROJECT=my-project BUCKET=my-bucket")
    return asked


def _write_project(folder: Path, asked: argparse.Namespace) -> dict[str, str]:
    profile = {"project": asked.project, "location": asked.location, "bucket": asked.bucket}
    if asked.endpoint:
        profile["endpoint"] = asked.endpoint
    (folder / "tunekit.yaml").write_text(yaml.safe_dump({"providers": {"vertex": profile}}))
    rows = [
        {"message": f"Order #{4000 + n * 7} is late", "masked": "Order [ORDER] is late"}
        for n in range(ROWS + HELD_OUT)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("main", "cancelled"):
        text = SPEC.format(
            name=f"live-{name}",
            base_model=asked.base_model,
            rows=ROWS if name == "main" else ROWS - 1,
            held_out=HELD_OUT,
            epochs=EPOCHS,
        )
        (folder / "experiments").mkdir(exist_ok=True)
        (folder / f"experiments/{name}.yaml").write_text(text)
    return profile


def _estimate_usd(folder: Path, base_model: str) -> float:
    characters = (folder / "rows.jsonl").stat().st_size + ROWS * len(SPEC)
    tokens = characters / CHARACTERS_A_TOKEN * EPOCHS * JOBS
    return tokens * BASE_MODELS[base_model].usd_per_million_tokens / 1e6


def _clean_up(check: Check, profile: dict[str, str]) -> None:
    """Remove what costs or clutters; say what could not be removed."""
    try:
        provider = check._provider()
        for trial in check._json("status")["trials"]:
            job = trial["job"] or {}
            if job.get("model"):
                provider.delete_model(job["model"])
                print(f"Removed {job['model']}")
    except Exception as error:
        print(f"Clean up by hand, in project {profile['project']}: {error}")
    print(f"Uploaded rows stay in gs://{profile['bucket']}/tunekit/; remove them when you like.")


if __name__ == "__main__":
    sys.exit(main())
