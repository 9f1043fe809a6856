"""Conversations, ready-made lines, rows kept once, labels in shares, groups kept whole."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.datasets import gemini_line, make_experiment, read_all, turn, write_rows
from tunekit import dataset
from tunekit.errors import DataError
from tunekit.model import Experiment, Tuning
from tunekit.model.data import Turn
from tunekit.providers.vertex.rows import line_of


def said(*messages: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": text} for role, text in messages]


LONG = said(("system", "Be brief."), ("user", "a"), ("assistant", "b"), ("user", "c\u2028"))


def talk(**changes: Any) -> Experiment:
    return make_experiment(**{"messages": "chat", "columns": {}, **changes})


def sent(experiment: Experiment, root: Path, *, system: str | None = None) -> list[Any]:
    method = experiment.tuning.method
    lines = (
        line_of(example, method=method, system_instruction=system)
        for example in read_all(root, experiment)
    )
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("seed", [None, 3])
def test_every_turn_of_a_conversation_is_sent(tmp_path: Path, seed: int | None) -> None:
    chats = [[*LONG, *said(("assistant", "d"))], said(("user", "a"), ("assistant", "d"))]
    write_rows(tmp_path / "data.jsonl", [{"chat": chat} for chat in chats])
    experiment = talk(split={"train": 2}, shuffle_seed=seed)
    found = sent(experiment, tmp_path, system="the data set's")
    found.sort(key=lambda row: len(row["contents"]), reverse=True)
    assert found == [
        {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                *(turn("user", "a"), turn("model", "b")),
                *(turn("user", "c\u2028"), turn("model", "d")),
            ],
        },
        {
            "systemInstruction": {"parts": [{"text": "the data set's"}]},
            "contents": [turn("user", "a"), turn("model", "d")],
        },
    ]
    example = next(e for e in read_all(tmp_path, experiment) if e.turns)
    assert (example.prompt, example.response) == ("Be brief.\na\nb\nc\u2028", "d")
    assert example.source == "c\u2028"
    assert example.turns[0] == Turn("system", "Be brief.")


def test_conversations_may_lie_in_csv_as_json(tmp_path: Path) -> None:
    chat = json.dumps(said(("user", "a"), ("assistant", "b"))).replace('"', '""')
    (tmp_path / "data.csv").write_text(f'chat\n"{chat}"\n')
    experiment = replace(talk(), dataset=replace(talk().dataset, source=csv().dataset.source))
    assert sent(experiment, tmp_path) == [gemini_line("a", "b")]


def csv() -> Experiment:
    return make_experiment("data.csv")


def test_roles_are_part_of_what_is_hashed(tmp_path: Path) -> None:
    digests = set()
    for role in ("user", "assistant"):
        chat = said(("user", "a"), (role, "b"), ("user", "c"), ("assistant", "d"))
        write_rows(tmp_path / "data.jsonl", [{"chat": chat}])
        digests.add(dataset.prepare(talk(), root=tmp_path).splits["train"].digest)
    assert len(digests) == 2


def test_preference_compares_answers_to_a_conversation(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", [{"chat": LONG, "good": "g", "bad": "b"}])
    experiment = replace(
        talk(columns={"chosen": "good", "rejected": "bad"}), tuning=Tuning(method="preference")
    )
    [row] = sent(experiment, tmp_path)
    assert [part["role"] for part in row["contents"]] == ["user", "model", "user"]
    assert row["completions"][1] == {"score": 0, "completion": turn("model", "b")}


@pytest.mark.parametrize(
    ("chat", "fact"),
    [
        (None, "column 'chat' holds no list of messages"),
        ([], "column 'chat' holds no list of messages"),
        ("hello", "column 'chat' holds text that is no JSON"),
        (["hello"], "message 1 of column 'chat' is no object"),
        (said(("narrator", "a")), "message 1 of column 'chat' has no role that is known"),
        (said(("user", None)), "message 1 of column 'chat' has no text as content"),
        (said(("user", "a"), ("system", "b")), "message 2 of column 'chat' is the system's"),
        (said(("user", "a")), "column 'chat' does not end with a message of the assistant"),
        (
            said(("system", "a"), ("assistant", "b")),
            "column 'chat' has no message of the user before the answer",
        ),
    ],
)
def test_a_conversation_that_teaches_nothing_is_refused(
    tmp_path: Path, chat: Any, fact: str
) -> None:
    good = {"chat": said(("user", "a"), ("assistant", "b"))}
    write_rows(tmp_path / "data.jsonl", [good, {"chat": chat}])
    with pytest.raises(DataError) as caught:
        dataset.prepare(talk(split={"train": 2}), root=tmp_path)
    assert str(caught.value).startswith(f"data.jsonl:2: {fact}; ")


def ready_made(**changes: Any) -> Experiment:
    return make_experiment(**{"ready_made": "vertex", "columns": {}, **changes})


@pytest.mark.parametrize("seed", [None, 3])
def test_ready_made_lines_are_sent_to_the_byte(tmp_path: Path, seed: int | None) -> None:
    odd = (
        b'{ "contents" : [{"role":"user","parts":[{"text":"\\u00e9\xe2\x80\xa8"},{"fileData":{}}]}'
    )
    lines = [
        odd + b',{"role":"model","parts":[{"text":"a"}]}] , "x":1e2}',
        json.dumps(gemini_line("q", "b")).encode(),
    ]
    (tmp_path / "data.jsonl").write_bytes(b"\r\n".join(lines) + b"\n")
    experiment = ready_made(split={"train": 2}, shuffle_seed=seed)
    examples = read_all(tmp_path, experiment)
    found = {line_of(e, method="supervised", system_instruction="no") for e in examples}
    assert found == {line + b"\n" for line in lines}
    assert {(e.prompt, e.response) for e in examples} == {("é\u2028", "a"), ("q", "b")}


def test_a_line_of_another_format_is_refused_by_number(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", [gemini_line("q", "a"), {"messages": []}])
    with pytest.raises(DataError) as caught:
        dataset.prepare(ready_made(split={"train": 2}), root=tmp_path)
    assert str(caught.value).startswith("data.jsonl:2: has no contents; this is the chat format")


@pytest.mark.parametrize(
    ("row", "remedy"),
    [
        (gemini_line("q", "a"), "for ready-made rows write `ready_made: vertex`"),
        ({"messages": said(("user", "a"))}, "for conversations write `messages: messages`"),
    ],
)
def test_rows_of_no_table_tell_which_key_they_need(
    tmp_path: Path, row: dict[str, Any], remedy: str
) -> None:
    write_rows(tmp_path / "data.jsonl", [row])
    with pytest.raises(DataError) as caught:
        dataset.prepare(make_experiment(), root=tmp_path)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("dedupe", "kept"),
    [
        (None, [0, 1, 2, 3, 4]),
        ("prompt", [0, 1, 3]),
        (("text",), [0, 1, 3]),
        (("masked",), [0, 1, 2]),
        (("text", "masked"), [0, 1, 2, 3]),
    ],
)
@pytest.mark.parametrize("seed", [None, 5])
def test_the_first_of_equal_rows_is_kept(
    tmp_path: Path, dedupe: Any, kept: list[int], seed: int | None
) -> None:
    pairs = [("a", "x"), ("ab", "y"), ("a", "z"), ("b", "y"), ("a", "x")]
    write_rows(tmp_path / "data.jsonl", [{"text": t, "masked": m} for t, m in pairs])
    experiment = make_experiment(dedupe=dedupe, shuffle_seed=seed, split={"train": 1.0})
    assert sorted(e.line - 1 for e in read_all(tmp_path, experiment)) == kept


def labelled(root: Path, rows: int) -> None:
    write_rows(
        root / "data.jsonl",
        [
            {"text": str(n), "masked": str(n), "label": f"l{n % 10 // 4}", "who": f"c{n * n % 37}"}
            for n in range(rows)
        ],
    )


def by_split(root: Path, **changes: Any) -> dict[str, list[dict[str, str]]]:
    rows = [json.loads(line) for line in (root / "data.jsonl").read_text().splitlines()]
    prepared = dataset.prepare(make_experiment(**changes), root=root)
    return {name: [rows[e.line - 1] for e in prepared.read(name)] for name in prepared.splits}


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(
    "split",
    [
        {"train": 0.8, "validation": 0.1, "test": 0.1},
        {"train": 160, "test": 20},
        {"train": 0.5, "test": 0.25},
        {"train": 200},
    ],
)
def test_labels_have_equal_shares_of_each_split(
    tmp_path: Path, seed: int | None, split: dict[str, float]
) -> None:
    labelled(tmp_path, 200)
    found = by_split(tmp_path, split=split, stratify="label", shuffle_seed=seed)
    plain = by_split(tmp_path, split=split, shuffle_seed=seed)
    assert {name: len(rows) for name, rows in found.items()} == {
        name: len(rows) for name, rows in plain.items()
    }
    for rows in found.values():
        shares = Counter(row["label"] for row in rows)
        for label, whole in {"l0": 80, "l1": 80, "l2": 40}.items():
            assert abs(shares[label] - whole * len(rows) / 200) <= 2
    numbers = [row["text"] for rows in found.values() for row in rows]
    assert len(set(numbers)) == len(numbers)
    if seed is None:
        assert all(rows == sorted(rows, key=lambda r: int(r["text"])) for rows in found.values())


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
@pytest.mark.parametrize(
    ("split", "slack"),
    [
        ({"train": 0.8, "validation": 0.1, "test": 0.1}, 12),
        ({"train": 0.5, "test": 0.2}, 12),
        ({"train": 300, "validation": 20, "test": 40}, 0),
    ],
)
def test_a_group_is_never_on_two_sides(
    tmp_path: Path, seed: int | None, split: dict[str, float], slack: int
) -> None:
    labelled(tmp_path, 400)
    found = by_split(tmp_path, split=split, group="who", shuffle_seed=seed)
    groups = {name: {row["who"] for row in rows} for name, rows in found.items()}
    assert sum(map(len, groups.values())) == len(set().union(*groups.values()))
    for name, size in split.items():
        wanted = size if isinstance(size, int) else size * 400
        assert abs(len(found[name]) - wanted) <= slack
    assert by_split(tmp_path, split=split, group="who", shuffle_seed=seed) == found
    if seed is not None:
        assert by_split(tmp_path, split=split, group="who", shuffle_seed=seed + 9) != found


def test_shares_that_sum_to_one_use_every_row_of_every_group(tmp_path: Path) -> None:
    labelled(tmp_path, 333)
    found = by_split(tmp_path, split={"train": 0.9, "test": 0.1}, group="who", shuffle_seed=1)
    assert sum(map(len, found.values())) == 333


def test_groups_that_do_not_fit_are_told(tmp_path: Path) -> None:
    rows = [{"text": str(n), "masked": "m", "who": "one"} for n in range(10)]
    write_rows(tmp_path / "data.jsonl", rows)
    with pytest.raises(DataError) as caught:
        by_split(tmp_path, split={"train": 0.5, "test": 0.5}, group="who")
    assert "for the rows of a 'who' stay together; lower the split" in str(caught.value)


@pytest.mark.parametrize("key", ["stratify", "group"])
def test_a_row_without_a_label_or_group_is_named(tmp_path: Path, key: str) -> None:
    labelled(tmp_path, 3)
    with (tmp_path / "data.jsonl").open("a") as file:
        file.write('{"text": "t", "masked": "m", "label": null, "who": null}\n')
    column = {"stratify": "label", "group": "who"}[key]
    with pytest.raises(DataError) as caught:
        by_split(tmp_path, split={"train": 0.5, "test": 0.5}, **{key: column})
    assert str(caught.value).startswith(f"data.jsonl:4: column '{column}' is null; ")


def test_a_shuffle_holds_few_rows(tmp_path: Path) -> None:
    import tracemalloc

    text = "x" * 10_000
    rows = [{"text": f"{n}{text}", "masked": text} for n in range(5_000)]
    write_rows(tmp_path / "data.jsonl", rows)
    tracemalloc.start()
    experiment = make_experiment(split={"train": 4_000, "test": 1_000}, shuffle_seed=3)
    prepared = dataset.prepare(experiment, root=tmp_path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert prepared.splits["train"].characters > 80_000_000
    assert peak_bytes < 40_000_000
