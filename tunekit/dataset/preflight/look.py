"""The preflight: every row is looked at once, while the data set is prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunekit.dataset.checks import answers_of, parsed_prompt
from tunekit.dataset.preflight.batch import Batch, Check, Tally
from tunekit.dataset.preflight.labels import Labels
from tunekit.dataset.preflight.masking import Masking
from tunekit.dataset.preflight.near import NearLeaks
from tunekit.dataset.preflight.repeats import Repeats
from tunekit.dataset.preflight.texts import Characters, Placeholders
from tunekit.dataset.preflight.values import Blanks, Types
from tunekit.dataset.prepared import prepare
from tunekit.dataset.rows import INPUT
from tunekit.model import Example, Experiment, Finding, Location, OnRows, PreparedDataset

# Checks take so many rows at a time: most look at all of them in one call.
_BATCH_ROWS = 1024


def prepare_checked(
    experiment: Experiment, *, root: Path, on_rows: OnRows | None = None
) -> PreparedDataset:
    """Prepare a data set as `prepare` does, with what a preflight finds on the way."""
    preflight = Preflight(experiment)
    made = prepare(experiment, root=root, preflight=preflight, on_rows=on_rows)
    return replace(made, findings=tuple(preflight.findings(made.place)))


class Preflight:
    """Takes rows as they are rendered; holds hashes and counts, no rows but the last thousand."""

    def __init__(self, experiment: Experiment, checks: Sequence[Check] | None = None) -> None:
        """Look by all rules, or by those of `checks` only."""
        spec = experiment.dataset
        objects = spec.source.objects()
        is_table = not objects and spec.messages is None and spec.ready_made is None
        template = parsed_prompt(experiment)[0] if is_table else None
        used = list(dict.fromkeys(spec.columns[n] for n in template.names)) if template else []
        named = () if objects else answers_of(experiment)
        answers = [spec.columns[name] for name in named if name in spec.columns]
        literals = template.literals if template else ("",)
        self._edges = (len(literals[0]), len(literals[-1])) if template else None
        # Of a prompt with one placeholder, what is between its ends is that one's text.
        input_column = spec.columns.get(INPUT, *used[:1]) if len(used) == 1 else None
        self._is_one = bool(template) and len(literals) == 2 and used == [input_column]
        repeats = Repeats(has_pairs=experiment.tuning.method == "preference")
        every: list[Check] = [
            Blanks(used if is_table else None),
            Types([*used, *(column for column in answers if column not in used)]),
            Characters(),
            Placeholders({*spec.columns, *spec.columns.values()}),
            repeats,
            Labels(),
            Masking(),
        ]
        if set(objects or spec.split) != {"train"}:
            every.append(NearLeaks(repeats.leaked))
        self._checks = every if checks is None else checks
        self._tally = Tally()
        self._split = ""
        self._examples: list[Example] = []
        self._raws: list[Mapping[str, Any]] = []

    def see(
        self, split: str, examples: Sequence[Example], raws: Sequence[Mapping[str, Any]]
    ) -> None:
        """Take in some rows of one split: as they are sent, and as the source has them."""
        if split != self._split or len(self._examples) >= _BATCH_ROWS:
            self._flush()
            self._split = split
        self._examples += examples
        self._raws += raws

    def findings(self, place: Callable[[str, int], Location]) -> list[Finding]:
        """Return what was found, errors first; call it once, after the last row.

        `place` tells where a line of a split is.
        """
        self._flush()
        for check in self._checks:
            check.finish(self._tally)
        return self._tally.findings(place)

    def _flush(self) -> None:
        if not self._examples:
            return
        examples = self._examples
        prompts, responses, sources, lines, rejected, _, _, beyond = zip(*examples, strict=True)
        filled = sources if self._is_one else self._filled_in(prompts)
        batch = Batch(
            split=self._split,
            lines=lines,
            prompts=prompts,
            inputs=filled or prompts,
            texts=filled or sources,
            sources=sources,
            responses=responses,
            rejected=[text for text in rejected if text is not None],
            raws=self._raws,
            beyond=beyond,
        )
        for check in self._checks:
            check.take(batch, self._tally)
        self._examples, self._raws = [], []

    def _filled_in(self, prompts: Sequence[str]) -> Sequence[str]:
        """Return prompts without the template's two ends; none where rows are ready-made."""
        if self._edges is None:
            return []
        first, last = self._edges
        return [prompt[first : len(prompt) - last] for prompt in prompts]
