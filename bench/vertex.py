"""How long tunekit takes to reach Vertex AI, beside google-genai and beside a bare session.

    python bench/vertex.py [ROUNDS]        # needs the extras vertex and emulator, and google-genai

The service is an emulator in a process of its own. The first table is of whole processes: create,
get, list, cancel, get. The second is of one process that watches jobs while each answer takes
50 ms: by the pages of a list, as tunekit does it, and by a call a job. Ratios of medians count.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

WATCHED = 100
DELAY_S = 0.05

ROW = (
    '{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]}]}'
)

TUNEKIT = """
import sys
from tunekit.model import Example, JobSpec, PreparedDataset, SplitInfo
from tunekit.providers.vertex import open_provider
from pathlib import Path
url, folder = sys.argv[1:]
place = {"project": "p", "location": "us-central1", "endpoint": url}
vertex = open_provider(place, Path(folder), {})
data = PreparedDataset("f", {"train": SplitInfo(1, 2, "d")}, lambda split: iter(()),
                       uris={"train": "gs://bench/rows.jsonl"})
job = JobSpec("e", "main", "gemini-3.5-flash", "supervised", {"epochs": 1}, data)
name = vertex.submit(job, "tk-" + "b" * 26).name
vertex.get(name)
list(vertex.list())
vertex.cancel(name)
vertex.get(name)
"""

GENAI = """
import sys
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
client = genai.Client(vertexai=True, project="p", location="us-central1",
                      credentials=Credentials("x"),
                      http_options=types.HttpOptions(base_url=sys.argv[1]))
job = client.tunings.tune(
    base_model="gemini-3.5-flash",
    training_dataset=types.TuningDataset(gcs_uri="gs://bench/rows.jsonl"),
    config=types.CreateTuningJobConfig(epoch_count=1))
client.tunings.get(name=job.name)
list(client.tunings.list())
client.tunings.cancel(name=job.name)
client.tunings.get(name=job.name)
"""

BARE = """
import sys
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.credentials import Credentials
session = AuthorizedSession(Credentials("x"))
session.trust_env = False
base = sys.argv[1] + "/v1beta1/"
jobs = base + "projects/p/locations/us-central1/tuningJobs"
name = session.post(jobs, json={"baseModel": "gemini-3.5-flash", "supervisedTuningSpec": {
    "trainingDatasetUri": "gs://bench/rows.jsonl"}}).json()["name"]
session.get(base + name)
session.get(jobs)
session.post(base + name + ":cancel", json={})
session.get(base + name)
"""


def main(rounds: int) -> None:
    """Print two tables."""
    environ = {**os.environ, "NO_PROXY": "127.0.0.1", "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tunekit", "emulator", "--time-scale", "1"]
        emulator = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
        try:
            url = _url(emulator)
            _call(url, "POST", "/storage/v1/b?project=p", '{"name":"bench"}')
            upload = "/upload/storage/v1/b/bench/o?uploadType=media&name=rows.jsonl"
            _call(url, "POST", upload, f"{ROW}\n" * 60)
            _whole_processes(url, folder, environ, rounds)
            _call(url, "POST", "/_emulator/reset", "{}")
            _watching(url, folder, rounds)
        finally:
            emulator.terminate()
            emulator.wait()


def _whole_processes(url: str, folder: str, environ: dict[str, str], rounds: int) -> None:
    subjects = {"tunekit": TUNEKIT, "google-genai": GENAI, "AuthorizedSession": BARE}
    took: dict[str, list[float]] = {name: [] for name in subjects}
    for turn in range(rounds + 1):
        for name, code in subjects.items():
            began_s = time.perf_counter()
            arguments = [url, folder] if name == "tunekit" else [url]
            subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=environ)
            if turn:  # the first round warms up
                took[name].append(time.perf_counter() - began_s)
    _print("create, get, list, cancel, get", took)


def _watching(url: str, folder: str, rounds: int) -> None:
    from tunekit.model import Example, JobSpec, PreparedDataset, SplitInfo
    from tunekit.providers.vertex import open_provider

    place = {"project": "p", "location": "us-central1", "bucket": "bench", "endpoint": url}
    vertex = open_provider(place, Path(folder), {})
    _call(url, "POST", "/storage/v1/b?project=p", '{"name":"bench"}')
    rows = [Example(f"a {n}", f"b {n}", "", n) for n in range(60)]
    data = PreparedDataset("f", {"train": SplitInfo(60, 300, "d")}, lambda split: iter(rows))
    job = JobSpec("e", "main", "gemini-3.5-flash", "supervised", {"epochs": 1}, data)
    names = [vertex.submit(job, f"tk-{number:026}").name for number in range(WATCHED)]
    _call(url, "PUT", "/_emulator/faults", f'{{"delay_s": {DELAY_S}}}')
    took: dict[str, list[float]] = {"tunekit: list": [], "a get each": []}
    for _ in range(rounds):
        began_s = time.perf_counter()
        assert {seen.name for seen in vertex.list()} == set(names)
        took["tunekit: list"].append(time.perf_counter() - began_s)
        began_s = time.perf_counter()
        for name in names:
            vertex.get(name)
        took["a get each"].append(time.perf_counter() - began_s)
    _print(f"one look at {WATCHED} jobs, {DELAY_S * 1000:g} ms an answer", took)


def _print(what: str, took: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(seconds) for name, seconds in took.items()}
    own = next(iter(medians.values()))
    print(f"\n{what}")
    for name, median_s in medians.items():
        times = took[name]
        spread = f"{min(times) * 1000:,.0f} to {max(times) * 1000:,.0f}"
        print(
            f"  {name:<20}{median_s * 1000:>9,.0f} ms ({spread})   tunekit is {own / median_s:.2f}x"
        )


def _url(emulator: subprocess.Popen[str]) -> str:
    assert emulator.stdout is not None
    for line in emulator.stdout:
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise SystemExit("the emulator did not start")


def _call(url: str, method: str, path: str, body: str) -> None:
    request = urllib.request.Request(url + path, data=body.encode(), method=method)
    request.add_header("content-type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(request).read()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
