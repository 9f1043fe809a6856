"""Asking about rows: several at once, stopped at will, nothing lost that was answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence

import pytest

from tunekit.errors import ProviderError, Unavailable, UsageError
from tunekit.evaluate.budget import Meter, require_affordable
from tunekit.evaluate.run import Answer, Pace, Paced, Question, ask_all, questions
from tunekit.model import AskingPrice, Clock, Completion, Example


def rows(count: int) -> list[Question]:
    return questions(Example(f"p{n}", f"r{n}", f"s{n}", n) for n in range(count))


class Model:
    """Answers each prompt by itself in capitals; notes what it was asked, and how much at once."""

    def __init__(self, *, delay_s: float = 0.0, fails_at: str = "") -> None:
        self.prompts: list[str] = []
        self.calls = self.now = self.most = 0
        self.delay_s, self.fails_at = delay_s, fails_at
        self.lock = threading.Lock()

    def ask(self, prompts: Sequence[str]) -> Iterator[Completion]:
        self.calls += 1
        for prompt in prompts:
            with self.lock:
                self.prompts.append(prompt)
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(self.delay_s)
            with self.lock:
                self.now -= 1
            if prompt == self.fails_at:
                raise Unavailable("busy")
            yield Completion(prompt.upper())


@pytest.mark.parametrize("at_once", [1, 2, 8, 64])
def test_every_row_is_answered_once_at_any_concurrency(at_once: int) -> None:
    model, taken = Model(), []

    def take(answers: Sequence[Answer]) -> bool:
        taken.extend(answers)
        return True

    assert ask_all(model.ask, rows(50), at_once=at_once, take=take)
    assert sorted(a.question.example.line for a in taken) == list(range(50))
    assert all(a.completion.text == a.question.example.prompt.upper() for a in taken)
    assert model.calls == (1 if at_once == 1 else 50)


def test_so_many_are_asked_at_once_and_no_more() -> None:
    model = Model(delay_s=0.02)
    started = time.monotonic()
    assert ask_all(model.ask, rows(40), at_once=8, take=lambda _: True)
    assert model.most == 8
    assert time.monotonic() - started < 40 * 0.02 * 0.6


@pytest.mark.parametrize("at_once", [1, 4])
def test_what_came_before_an_error_is_taken(at_once: int) -> None:
    model, taken = Model(delay_s=0.005, fails_at="p20"), []

    def take(answers: Sequence[Answer]) -> bool:
        taken.extend(a.question.example.line for a in answers)
        return True

    with pytest.raises(Unavailable, match="busy"):
        ask_all(model.ask, rows(50), at_once=at_once, take=take)
    assert set(range(20)) <= set(taken)
    # What was asked for was paid for: it is taken, too. Nothing is asked after the failure.
    assert {f"p{line}" for line in taken} == set(model.prompts) - {"p20"}
    assert len(model.prompts) <= 20 + 2 * at_once


def test_nothing_is_asked_once_enough_was_taken() -> None:
    model, taken = Model(delay_s=0.005), []

    def take(answers: Sequence[Answer]) -> bool:
        taken.extend(answers)
        return len(taken) < 10

    assert not ask_all(model.ask, rows(100), at_once=4, take=take)
    assert 10 <= len(taken) == len(model.prompts) < 20


def test_a_failure_to_take_ends_the_asking() -> None:
    model = Model(delay_s=0.005)

    def take(_: Sequence[Answer]) -> bool:
        raise ProviderError("the disk is full")

    with pytest.raises(ProviderError, match="disk"):
        ask_all(model.ask, rows(100), at_once=4, take=take)
    asked = len(model.prompts)
    time.sleep(0.05)
    assert len(model.prompts) <= asked + 4 < 20


def test_a_model_that_leaves_rows_out_is_told() -> None:
    def short(prompts: Sequence[str]) -> Iterable[Completion]:
        return (Completion("x") for _ in prompts[:-1])

    with pytest.raises(ProviderError, match="only 2 of 3 rows"):
        ask_all(short, rows(3), at_once=1, take=lambda _: True)


def test_an_answer_is_handed_on_while_others_are_under_way() -> None:
    """Else a crash would lose what was paid for."""
    seen_after: list[float] = []
    started = time.monotonic()

    def slow(prompts: Sequence[str]) -> Iterator[Completion]:
        for number, _ in enumerate(prompts):
            time.sleep(0.0 if number == 0 else 0.5)
            yield Completion("x")

    def take(_: Sequence[Answer]) -> bool:
        seen_after.append(time.monotonic() - started)
        return True

    ask_all(slow, rows(2), at_once=1, take=take)
    assert seen_after[0] < 0.4 < seen_after[-1]


def test_keys_name_content_and_tell_equal_rows_apart() -> None:
    def row(line: int = 1, *, prompt: str = "p", response: str = "r") -> Example:
        return Example(prompt, response, "s", line)

    first, second, other = questions([row(), row(2), row(response="q")])
    assert len({first.key, second.key, other.key}) == 3
    assert [q.key for q in questions([row(9)])] == [first.key]
    assert questions([row(prompt="\ud800")])


class Time:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def clock(self) -> Clock:
        return Clock(now_s=lambda: self.now_s, sleep=self.sleep, random=lambda: 0.5)


def test_a_pace_spaces_calls_evenly_also_those_made_again() -> None:
    time_ = Time()
    prompts = Paced(["a", "b", "c"], Pace(60, time_.clock()))
    assert list(prompts) == ["a", "b", "c"]
    assert list(prompts[1:]) == ["b", "c"]  # as retry asks for the rest
    assert (len(prompts), prompts[0]) == (3, "a")
    assert time_.slept == [1.0] * 4
    time_.now_s += 10
    list(prompts[2:])
    assert len(time_.slept) == 4  # time that passed unused is not made up for, nor waited


def test_costs_count_questions_answers_and_the_system_instruction() -> None:
    meter = Meter(AskingPrice(input_usd=1.0, output_usd=10.0), system_tokens=100)
    question = Question("k", Example("p" * 400, "r" * 40, "", 1))
    assert meter.expected_usd([question] * 3) == pytest.approx(3 * (200 * 1 + 10 * 10) / 1e6)
    assert meter.usd(question, Completion("x" * 80)) == pytest.approx((200 + 20 * 10) / 1e6)
    require_affordable(1.0, 1.0, 3)
    with pytest.raises(UsageError, match=r"3 rows costs about 1.5 USD, .* is 1; raise it"):
        require_affordable(1.5, 1.0, 3)
