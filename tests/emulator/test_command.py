"""The command itself, as people run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.emulator.service import httpx


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tunekit", "emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_ends_well(how: signal.Signals) -> None:
    with started("--delay", "0.01", "--max-concurrent", "3") as process:
        assert process.stdout
        url = process.stdout.readline().removeprefix("Listening on ").strip()
        assert url.startswith("http://127.0.0.1:")
        assert process.stdout.readline() == f"export STORAGE_EMULATOR_HOST={url}\n"
        state = httpx.get(f"{url}/_emulator/state", trust_env=False).json()
        assert (state["faults"]["delay_s"], state["faults"]["max_concurrent"]) == (0.01, 3)
        process.send_signal(how)
        _, complaint = process.communicate(timeout=10)
        assert process.returncode == 0, complaint
        assert complaint == "Ctrl-C ends it, and everything it holds.\n"


def test_a_script_reads_json_and_a_taken_port_is_refused() -> None:
    with started("-o", "json") as process:
        assert process.stdout
        text = ""
        while not text.endswith("\n}\n"):
            text += process.stdout.readline()
        found = json.loads(text)
        assert found["schema"] == "tunekit.emulator/1"
        assert found["environment"]["STORAGE_EMULATOR_HOST"] == found["url"]
        port = found["url"].rpartition(":")[2]
        with started("--port", port) as second:
            _, complaint = second.communicate(timeout=10)
            assert second.returncode == 2
            assert f"127.0.0.1:{port}: " in complaint
            assert "--port 0" in complaint


def test_a_missing_extra_is_one_line() -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; sys.argv = ['tunekit', 'emulator']\n"
        "from tunekit.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 5
    assert done.stderr == (
        "tunekit: uvicorn is not installed; run: pip install 'tunekit[emulator]'\n"
    )
