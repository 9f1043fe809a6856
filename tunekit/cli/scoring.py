"""Asking a job's models about its held-out rows: only what was not answered before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tunekit.cli.asking import Target, remedied
from tunekit.cli.context import App
from tunekit.errors import NotFound, TunekitError, Unsupported, UsageError
from tunekit.evaluate.budget import Meter, require_affordable
from tunekit.evaluate.run import Answer, Pace, Paced, Question, ask_all
from tunekit.evaluate.scores import RIGHT, Record, Scorer
from tunekit.model import AskingPrice, Completion, EvaluationSpec, Generation, Job
from tunekit.model.data import estimated_tokens
from tunekit.registry import AnsweredRow
from tunekit.views.evaluation import Shown
from tunekit.views.text import plural

_RESUMED = "the same command asks only the rest."
# Answers ended as they should; everything else is worth a word.
_ENDED = ("", "STOP")


@dataclass(frozen=True, slots=True)
class Asking:
    """How rows are asked about. `most_rows`: how many answers this run may ask for."""

    settings: Generation
    spec: EvaluationSpec
    at_once: int
    per_minute: float | None = None
    most_rows: int | None = None
    asks_again: bool = False


@dataclass
class Session:
    """One evaluation under way: which rows, what is known of them, what is still to be asked."""

    app: App
    job: Job
    scorer: Scorer
    questions: Sequence[Question]
    how: Asking
    asked: int = 0
    spent_usd: float = 0.0
    _askings: dict[Target, int] = field(default_factory=dict)
    _texts: dict[str, dict[str, str]] = field(default_factory=dict)
    _pace: Pace | None = None
    _meter: Meter | None = None

    def __post_init__(self) -> None:
        if self.how.per_minute is not None:
            self._pace = Pace(self.how.per_minute, self.app.clock)
        if self.how.spec.max_cost_usd is not None:
            is_free = self.app.kind_of(self.job.provider) == "local"
            price = self.how.spec.price or (AskingPrice(0.0, 0.0) if is_free else None)
            if price is None:
                raise UsageError("evaluate.max_cost_usd needs evaluate.price; add it to the spec")
            system = self.how.settings.system_instruction or ""
            self._meter = Meter(price, estimated_tokens(len(system)))

    def asking(self, target: Target) -> int:
        """Return the number under which the registry has a target's answers."""
        if target not in self._askings:
            self._askings[target] = self.app.registry.asking(
                provider=self.job.provider,
                model=target.model,
                generation=asdict(self.how.settings),
            )
        return self._askings[target]

    def records(self, targets: Sequence[Target]) -> dict[Target, list[Record]]:
        """Return what is kept of every row, by target, having asked what was missing.

        A target that may be left out is, with a note, where its provider can't ask it. TunekitError
        where a limit stopped it; all that was answered is recorded then too. Where another process
        asks the same model, its end is waited for: what it asked is known then.
        """
        with self.app.registry.asking_alone(map(self.asking, targets), self._tell_wait):
            return self._records(targets)

    def _tell_wait(self) -> None:
        self.app.say(
            f"Another evaluation asks about {self.job.title}; waiting for it to end, so that "
            "nothing is asked twice."
        )

    def _records(self, targets: Sequence[Target]) -> dict[Target, list[Record]]:
        known = {target: self._known(target) for target in targets}
        missing = {
            target: [q for q in self.questions if q.key not in rows]
            for target, rows in known.items()
        }
        self._tell(missing)
        if self._meter is not None:
            count = sum(map(len, missing.values()))
            expected = sum(map(self._meter.expected_usd, missing.values()))
            require_affordable(expected, self.how.spec.max_cost_usd or 0.0, count)
        found = {}
        for target, questions in missing.items():
            try:
                with remedied(self.job, target.name):
                    self._ask(target, questions, known[target])
            except (NotFound, Unsupported) as error:
                if not target.is_optional:
                    raise
                self.app.say(f"{target.name} is left out: {error}")
                continue
            found[target] = [known[target][q.key] for q in self.questions]
        return found

    def _known(self, target: Target) -> dict[str, Record]:
        """Return the rows that need not be asked: scored, or kept so that they can be."""
        if self.how.asks_again:
            return {}
        asking = self.asking(target)
        recorded = self.app.registry.answered_rows(asking)
        kept: Mapping[str, str] | None = None
        finishes: Mapping[str, str] = {}
        known: dict[str, Record] = {}
        rescored = []
        for question in self.questions:
            record = recorded.get(question.key)
            if record is None:
                continue
            if self.scorer.suffices(record):
                known[question.key] = record
                continue
            if kept is None:
                kept = self.app.registry.kept_answers(asking)
                finishes = self.app.registry.finishes(asking)
            if (text := kept.get(question.key)) is not None:
                known[question.key] = self.scorer.record(question.example, text)
                completion = Completion(text, finishes.get(question.key, ""))
                rescored.append(self._row(Answer(question, completion), known))
        if rescored:
            self._write(target, rescored, keep=True)  # what is kept of them stays as it is
        again = sum(q.key in recorded and q.key not in known for q in self.questions)
        if again:
            self.app.say(
                f"{plural(again, 'row')} of {target.name} {_is(again)} asked again: "
                "a metric is new, and answers are kept only with evaluate.keep_answers"
            )
        return known

    def _tell(self, missing: Mapping[Target, Sequence[Question]]) -> None:
        done = {t.name: len(self.questions) - len(rows) for t, rows in missing.items()}
        if any(done.values()):
            said = ", ".join(f"{name} {count:,}" for name, count in done.items() if count)
            self.app.say(
                f"Answered before and not asked again, of {plural(len(self.questions), 'row')}: "
                f"{said}."
            )

    def _ask(self, target: Target, questions: Sequence[Question], known: dict[str, Record]) -> None:
        """Ask and record; `known` gets what is kept of each row."""
        room = len(questions)
        if self.how.most_rows is not None:
            room = max(self.how.most_rows - self.asked, 0)
        some = questions[:room]
        self.app.provider_of(self.job.provider)  # opened here, once, before threads need it

        with _bar(self.app, target.name, len(some)) as advance, self._remembering(target):

            def take(answers: Sequence[Answer]) -> bool:
                rows: list[AnsweredRow] = []
                try:
                    for answer in answers:
                        self._score(target, answer, known)
                        rows.append(self._row(answer, known))
                finally:  # a metric may fail at one of them
                    self._write(target, rows, keep=self.how.spec.keep_answers)
                    self.asked += len(rows)
                    advance(len(rows))
                most_usd = self.how.spec.max_cost_usd
                return self._meter is None or most_usd is None or self.spent_usd < most_usd

            is_whole = ask_all(self._asker(target), some, at_once=self.how.at_once, take=take)
        left = sum(question.key not in known for question in questions)
        if not left:
            return
        why = (
            f"--max-rows {self.how.most_rows}"
            if is_whole
            else f"evaluate.max_cost_usd, with about {self.spent_usd:.4g} USD spent"
        )
        raise TunekitError(
            f"stopped by {why}: {plural(left, 'row')} of {target.name} {_is(left)} still to be "
            "asked; what was answered is recorded, repeat the command to go on"
        )

    def _score(self, target: Target, answer: Answer, known: dict[str, Record]) -> None:
        question, completion = answer
        if self._meter is not None:
            self.spent_usd += self._meter.usd(question, completion)
        self._texts.setdefault(target.name, {})[question.key] = completion.text
        known[question.key] = self.scorer.record(question.example, completion.text)

    @contextmanager
    def _remembering(self, target: Target) -> Iterator[None]:
        """Say at a failure or Ctrl-C that the answers are not lost."""
        before = self.asked
        try:
            yield
        except BaseException:
            if got := self.asked - before:
                self.app.say(
                    f"{plural(got, 'answer')} of {target.name} {_is(got)} recorded; "
                    + ("--again asks all anew." if self.how.asks_again else _RESUMED)
                )
            raise

    def _asker(self, target: Target) -> Callable[[Sequence[str]], Iterable[Completion]]:
        def ask(prompts: Sequence[str]) -> Iterable[Completion]:
            if self._pace is not None:
                prompts = Paced(prompts, self._pace)
            return self.app.ask(self.job.provider, target.model, prompts, self.how.settings)

        return ask

    def _row(self, answer: Answer, known: Mapping[str, Record]) -> AnsweredRow:
        question = answer.question
        return AnsweredRow(
            row=question.key,
            line=question.example.line,
            record=known[question.key],
            finish=answer.completion.finish,
            expected=question.example.response,
            answered=answer.completion.text,
        )

    def _write(self, target: Target, rows: Sequence[AnsweredRow], *, keep: bool) -> None:
        self.app.registry.record_answers(
            self.asking(target),
            rows,
            keep=keep,
            at_s=self.app.clock.now_s(),
        )

    # --- what is shown ---------------------------------------------------------------------

    def odd_endings(self, target: Target) -> dict[str, int]:
        """Return how many answers were cut or refused, by the provider's word for it."""
        finishes = self.app.registry.finishes(self.asking(target))
        words = [finishes.get(question.key, "") for question in self.questions]
        return dict(Counter(word for word in words if word not in _ENDED))

    def shown(
        self, target: Target, records: Sequence[Record], *, count: int, only_wrong: bool
    ) -> list[Shown]:
        """Return the first answers that this run got or the registry keeps; none is asked for.

        What was scored is what is shown: an answer that is gone would not come back the same.
        """
        chosen = [
            question
            for question, record in zip(self.questions, records, strict=True)
            if not only_wrong or record[RIGHT] != 1.0
        ]
        if not chosen or not count:
            return []
        texts = {
            **self.app.registry.kept_answers(self.asking(target)),
            **self._texts.get(target.name, {}),
        }
        there = [question for question in chosen if question.key in texts][:count]
        if lost := min(count, len(chosen)) - len(there):
            self.app.say(
                f"{plural(lost, 'answer')} can't be shown: texts of earlier runs are kept only "
                "with evaluate.keep_answers; --again asks anew"
            )
        return [Shown(question.example, texts[question.key]) for question in there]


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


@contextmanager
def _bar(app: App, name: str, total: int) -> Iterator[Callable[[int], Any]]:
    """Show a bar on a terminal, nothing elsewhere."""
    if not app.notes.is_terminal or not total:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=app.notes.console(), transient=True) as progress:
        task = progress.add_task(f"asking {name}", total=total)
        yield lambda count: progress.advance(task, count)
