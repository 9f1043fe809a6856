"""What a Hub can refuse, and how each refusal reads: place, fact, remedy; no token, no row."""

from __future__ import annotations

import pytest

from tests.dataset_hub.conftest import Reached
from tests.dataset_hub.test_reading import ROWS, jsonl, numbered

TOKEN = "hf_right"
WHERE = "pii.yaml:5:3: hub:o/n: "
TOKENS = "https://huggingface.co/settings/tokens"


def test_a_private_data_set_is_read_with_the_token_of_the_environment_only(
    reached: Reached,
) -> None:
    reached.hub.tokens.add(TOKEN)
    reached.hub.repo("o/n", is_private=True).commit({"train.jsonl": jsonl(ROWS)})
    # What `hf auth login` left on the machine is none of ours.
    (reached.home / "token").write_text(TOKEN)
    assert reached.unreached() == (
        f"{WHERE}no such data set, or it is private; "
        f"check OWNER/NAME, or set HF_TOKEN to one that may read it ({TOKENS})"
    )
    assert reached.hub.sent_tokens == set()
    reached.environ = {"HF_TOKEN": TOKEN}
    assert reached.read()["rows"] == numbered(ROWS)
    assert reached.read(most_kept_bytes=0)["rows"] == numbered(ROWS)


def test_a_wrong_token_is_told_and_not_shown(reached: Reached) -> None:
    reached.hub.repo("o/n").commit({"train.jsonl": jsonl(ROWS)})
    reached.environ = {"HF_TOKEN": "hf_wrong"}
    text = f"{WHERE}the Hub does not take the token in HF_TOKEN; set HF_TOKEN to a valid one"
    assert reached.unreached() == f"{text} ({TOKENS})"


def test_a_name_that_is_not_there_is_told(reached: Reached) -> None:
    reached.hub.tokens.add(TOKEN)
    reached.environ = {"HF_TOKEN": TOKEN}
    assert reached.unreached() == (
        f"{WHERE}no such data set, or it is private and the token in HF_TOKEN may not read it; "
        f"check OWNER/NAME, and the token's rights at {TOKENS}"
    )


def test_a_gated_data_set_wants_its_owners_leave(reached: Reached) -> None:
    reached.hub.repo("o/n", is_gated=True).commit({"train.jsonl": jsonl(ROWS)})
    assert reached.unreached() == (
        f"{WHERE}its owner must let you read it; "
        f"ask for access on its page, and set HF_TOKEN to a token of yours ({TOKENS})"
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (429, "the Hub answered 429, too many requests; try again in some minutes"),
        (500, "the Hub answered 500; try again in a while"),
        (503, "the Hub answered 503; try again in a while"),
    ],
)
def test_a_hub_that_can_not_answer_now_is_told(reached: Reached, status: int, message: str) -> None:
    reached.hub.repo("o/n").commit({"train.jsonl": jsonl(ROWS)})
    reached.hub.status = status
    assert reached.unreached() == WHERE + message


def test_no_connection_is_told(reached: Reached) -> None:
    reached.hub.url = "http://127.0.0.1:1"
    message = "the Hugging Face Hub can't be reached (no connection)"
    assert reached.unreached() == f"{WHERE}{message}; check the network, then try again"


def test_being_offline_is_told(reached: Reached) -> None:
    reached.environ = {"HF_HUB_OFFLINE": "1"}
    message = "HF_HUB_OFFLINE is set, and the data set is not in the cache"
    assert reached.unreached() == f"{WHERE}{message}; unset it, then try again"


@pytest.mark.parametrize("most_kept_bytes", [1 << 30, 0], ids=["kept", "streamed"])
@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "closed"])
def test_a_connection_that_breaks_once_is_taken_up_again(
    reached: Reached, most_kept_bytes: int, is_reset: bool
) -> None:
    reached.hub.repo("o/n").commit({"train.jsonl": jsonl(ROWS * 20_000)})
    reached.hub.breaks, reached.hub.is_reset = 1, is_reset
    found = reached.read(only="count", most_kept_bytes=most_kept_bytes)
    assert found["count"] == 140_000
    assert reached.hub.breaks == 0


@pytest.mark.parametrize("most_kept_bytes", [1 << 30, 0], ids=["kept", "streamed"])
def test_a_connection_that_breaks_always_is_told(reached: Reached, most_kept_bytes: int) -> None:
    reached.hub.repo("o/n").commit({"train.jsonl": jsonl(ROWS * 20_000)})
    reached.hub.breaks = 1_000_000
    text = reached.unreached(only="count", most_kept_bytes=most_kept_bytes)
    assert text.startswith(f"{WHERE}the Hugging Face Hub can't be reached (")


def test_a_script_is_never_run(reached: Reached) -> None:
    ran = reached.home / "ran"
    script = f"open({str(ran)!r}, 'w')\n"
    reached.hub.repo("o/n").commit({"n.py": script, "train.jsonl": jsonl(ROWS)})
    assert reached.refused() == (
        f"{WHERE}it is made by a script of its own, which tunekit never runs; "
        "try revision: refs/convert/parquet, the Hub's own copy of it"
    )
    assert not ran.exists()


@pytest.mark.parametrize("files", [{"README.md": "# nothing\n"}, {"notes.xyz": "x"}])
def test_a_data_set_without_rows_to_read_is_told(reached: Reached, files: dict[str, str]) -> None:
    reached.hub.repo("o/n").commit(files)
    assert reached.refused().startswith(f"{WHERE}no files that `datasets` can read; ")


def test_files_that_are_damaged_are_told_without_a_word_of_them(reached: Reached) -> None:
    reached.hub.repo("o/n").commit({"train.jsonl": '{"text": "secret"}\n{"text": secret\n'})
    text = reached.refused()
    assert text.startswith(f"{WHERE}`datasets` can't read its files (")
    assert "secret" not in text
