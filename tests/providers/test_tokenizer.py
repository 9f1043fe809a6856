"""Tokens counted on this machine by google-genai's tokenizer, with a vocabulary made here.

The real ones can't be downloaded in a test. What is trained here takes the place of Gemma 3's in
the folder where google-genai looks for it, and its checksum that of the real one; all else is the
package's own.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sentencepiece", reason="needs the extra tokenizer")
pytest.importorskip("google.genai", reason="needs the extra tokenizer")

import sentencepiece as spm
from google.genai import _local_tokenizer_loader as loader

from tests.providers.gemini import job as gemini_job
from tests.providers.gemini import opened
from tests.providers.support import examples, job_spec, open_vertex, prepared
from tunekit.errors import MissingExtra, ProviderError, Unsupported
from tunekit.model import Example
from tunekit.providers.google.tokenizer import counter

MODEL = "gemini-2.5-flash"
NOWHERE = "http://127.0.0.1:9"  # where no server is: a download fails at once


@pytest.fixture(scope="module")
def trained() -> bytes:
    """A vocabulary of words that rows have."""
    model = io.BytesIO()
    texts = [row.prompt + row.response for row in examples(60)]
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=model, vocab_size=70, minloglevel=2
    )
    return model.getvalue()


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for vocabularies in a folder of the test's own, and for new ones nowhere."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    known = replace(loader._TOKENIZERS["gemma3"], model_url=NOWHERE)
    monkeypatch.setitem(loader._TOKENIZERS, "gemma3", known)
    loader.get_sentencepiece.cache_clear()
    loader.load_model_proto.cache_clear()


@pytest.fixture
def vocabulary(trained: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put it where google-genai keeps what it downloaded; return it, opened."""
    folder = tmp_path / "vertexai_tokenizer_model"
    folder.mkdir()
    (folder / hashlib.sha1(NOWHERE.encode()).hexdigest()).write_bytes(trained)
    known = replace(loader._TOKENIZERS["gemma3"], model_hash=hashlib.sha256(trained).hexdigest())
    monkeypatch.setitem(loader._TOKENIZERS, "gemma3", known)
    return spm.SentencePieceProcessor(model_proto=trained)


def test_each_text_of_a_row_is_counted_by_the_vocabulary(vocabulary: Any, tmp_path: Path) -> None:
    rows = examples(20)
    job = job_spec(prepared(rows, system="wants back"), base_model=MODEL)
    provider = open_vertex(NOWHERE, tmp_path)  # nobody is asked
    found = list(provider.count_tokens(job, rows, on_machine=True))
    assert found == [
        sum(len(vocabulary.encode(text)) for text in ("wants back", row.prompt, row.response))
        for row in rows
    ]
    assert len(set(found)) > 1


def test_preference_counts_the_prompt_twice(vocabulary: Any, tmp_path: Path) -> None:
    (row,) = examples(1, rejected="wants order")
    job = job_spec(prepared([row]), base_model=MODEL, method="preference")
    (found,) = open_vertex(NOWHERE, tmp_path).count_tokens(job, [row], on_machine=True)
    texts = (row.prompt, row.prompt, row.response, "wants order")
    assert found == sum(len(vocabulary.encode(text)) for text in texts)


def test_the_gemini_api_counts_by_it_too(vocabulary: Any) -> None:
    row = Example("wants back", "order", "wants back", 1)
    found = opened(NOWHERE).count_tokens(gemini_job(base_model=MODEL), [row], on_machine=True)
    assert list(found) == [len(vocabulary.encode("wants back")) + len(vocabulary.encode("order"))]


@pytest.mark.filterwarnings("error")
def test_counting_says_nothing_by_itself(
    vocabulary: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    assert counter(MODEL)(["wants", ""]) == len(vocabulary.encode("wants"))
    assert capfd.readouterr() == ("", "")


def test_an_unknown_model_has_no_tokenizer() -> None:
    with pytest.raises(Unsupported, match=r"no tokenizer of text-editor; .*provider"):
        counter("text-editor")


def test_a_vocabulary_that_is_nowhere_is_a_clear_word() -> None:
    with pytest.raises(ProviderError, match=r"can't be downloaded: .*refused.*provider") as caught:
        counter(MODEL)
    assert not isinstance(caught.value, Unsupported)


def test_newer_models_name_the_large_packages_that_they_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ProviderError, match=r"transformers .*google-genai\[local-tokenizer\]"):
        counter("gemini-3.5-flash")


def test_without_its_packages_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("google.genai.local_tokenizer", "google.genai._local_tokenizer_loader"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tunekit\[tokenizer\]'"):
        counter(MODEL)


def test_packages_that_do_not_fit_are_a_clear_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """As sentencepiece 0.2.3 does beside protobuf 5: its own check raises on import."""
    from google.protobuf import runtime_version

    def refused(*_: Any) -> None:
        raise runtime_version.VersionError("gencode 7.36.1 runtime 5.29.6")

    for name in ("google.genai.local_tokenizer", "google.genai._local_tokenizer_loader"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    class Finder:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "google.genai.local_tokenizer":
                refused()

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(ProviderError, match=r"gencode 7.*tunekit\[tokenizer\]"):
        counter(MODEL)
