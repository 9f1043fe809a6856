"""Files that can't be read, or are no text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.test_spec_load import FULL, MINIMAL, one, told
from tunekit.model import (
    Location,
    Severity,
)
from tunekit.spec import load_experiments


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_an_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(MINIMAL)
    (tmp_path / "x.yaml").chmod(0)
    (problem,) = load_experiments(["x.yaml"], root=tmp_path).problems
    assert "chmod u+r" in problem.remedy


def test_a_refused_read_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x.yaml").write_text(MINIMAL)
    monkeypatch.setattr("builtins.open", refuse)
    (problem,) = load_experiments(["x.yaml"], root=tmp_path).problems
    monkeypatch.undo()
    assert str(problem).startswith("x.yaml: the file can't be read: permission denied; ")


def test_links_and_devices_below_a_folder_are_problems_or_files(tmp_path: Path) -> None:
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "real.yaml").write_text(MINIMAL)
    (tmp_path / "again.yaml").symlink_to("real.yaml")
    loaded = load_experiments(["."], root=tmp_path)
    assert len(loaded.experiments) == 1
    assert [str(p).split(":")[0] for p in loaded.problems] == [
        "dangling.yaml",
        "loop.yaml",
        "pipe.yaml",
    ]


# --- encodings and sizes -------------------------------------------------------------------------


def test_a_bom_and_crlf_are_tolerated(tmp_path: Path) -> None:
    crlf = FULL.replace("\n", "\r\n").encode()
    experiment = one(tmp_path, b"\xef\xbb\xbf" + crlf)
    assert experiment.dataset.prompt == "Input:\n{input}\n"
    assert experiment.places["tuning.epochs"] == Location("x.yaml", 20, 3)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_refused_clearly(tmp_path: Path, encoding: str) -> None:
    (problem,) = told(tmp_path, MINIMAL.encode(encoding))
    assert "UTF-16" in problem or "binary" in problem


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    assert told(tmp_path, b"SQLite format 3\x00\x10") == [
        "x.yaml: the file is binary, not text; name a YAML file"
    ]


def test_latin_1_is_refused_at_its_first_byte(tmp_path: Path) -> None:
    assert told(tmp_path, "name: qa\ndescription: Café\n".encode("latin-1")) == [
        "x.yaml:2:17: byte 0xe9 is not UTF-8; save the file as UTF-8"
    ]


def test_control_characters_are_refused_with_their_place(tmp_path: Path) -> None:
    (problem,) = told(tmp_path, "name: qa\ndescription: a\x1bb\n")
    assert problem.startswith("x.yaml:2:15: the control character U+001B ")


def test_a_file_over_the_size_limit_is_refused(tmp_path: Path) -> None:
    filler = "# " + "x" * (256 * 1024) + "\n"
    (problem,) = told(tmp_path, filler + MINIMAL)
    assert "larger than 256 KiB" in problem


def test_an_empty_file_is_an_error_by_name_and_a_warning_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("# nothing yet\n")
    (named,) = load_experiments(["x.yaml"], root=tmp_path).problems
    (found,) = load_experiments(["."], root=tmp_path).problems
    assert (named.severity, found.severity) == (Severity.ERROR, Severity.WARNING)


# --- names ---------------------------------------------------------------------------------------
