"""Opening providers: what is missing is said in one line, with what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunekit import providers
from tunekit.errors import MissingExtra, NotFound, ProviderError
from tunekit.providers.local import open_provider


def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_sdk.py").write_text("import an_sdk_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(providers._BUILT_IN, "acme", ("needs_sdk", "acme"))
    with pytest.raises(MissingExtra) as caught:
        providers.open_provider("acme", {}, tmp_path, {})
    assert str(caught.value) == (
        "an_sdk_that_is_not_there is not installed; run: pip install 'tunekit[acme]'"
    )


def test_an_unknown_kind_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="there is: gemini-api, local, vertex"):
        providers.open_provider("nowhere", {}, tmp_path, {})


@pytest.mark.parametrize("name", ["../../etc", "jobs/../x", "", ".draft-1", "jobs/a/b"])
def test_names_cannot_leave_the_provider_s_folder(tmp_path: Path, name: str) -> None:
    local = open_provider({}, tmp_path, {})
    with pytest.raises(NotFound):
        local.get(name)
    with pytest.raises(NotFound):
        local.delete_model("models/" + name)


def test_cancelling_what_is_gone_is_fine(tmp_path: Path) -> None:
    local = open_provider({}, tmp_path, {})
    local.cancel("jobs/tk-0")
    assert list(local.list()) == []
    assert local.find("tk-0") is None
