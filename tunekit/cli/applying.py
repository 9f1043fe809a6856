"""What `plan` and `apply` share: which experiments are meant, and who carries the plan out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tunekit.apply import Applier
from tunekit.cli import desired
from tunekit.cli.context import App, unknown_name
from tunekit.cli.labels import labels
from tunekit.errors import UsageError
from tunekit.model import Actor, Experiment, Trial
from tunekit.plan import Options


@dataclass(frozen=True, slots=True)
class Scope:
    """The trials that files and flags mean; `is_whole` where nothing was narrowed."""

    trials: Sequence[Trial]
    options: Options
    is_whole: bool

    def experiments(self) -> list[Experiment]:
        """Return the experiments of the trials, each once."""
        return list({trial.experiment.name: trial.experiment for trial in self.trials}.values())

    def applier(
        self,
        app: App,
        *,
        actor: Actor | None = None,
        lock_timeout_s: float = 0.0,
        say: Callable[[str], None] | None = None,
    ) -> Applier:
        """Return what plans and applies within this scope."""
        return Applier(
            observer=app.observer(actor),
            desired=self.trials,
            options=self.options,
            lock=lambda: app.lock(lock_timeout_s),
            say=say or app.say,
            is_whole=self.is_whole,
        )


def scope(
    app: App,
    *,
    files: tuple[str, ...],
    wanted: tuple[str, ...],
    prune: bool,
    retry: tuple[str, ...],
) -> Scope:
    """Return what is meant. UsageError where flags contradict, SpecError where files are wrong."""
    is_whole = not files and not wanted
    if prune and not is_whole:
        raise UsageError(
            "--prune looks at every recorded experiment, so it does not go with -f or -l; "
            "leave those out"
        )
    found = desired.experiments(app, files, labels(wanted))
    if wanted and not found:
        app.say(f"No experiment has the tags {', '.join(wanted)}.")
    trials = desired.trials(app, found)
    names = {trial.name for trial in trials}
    for name in retry:
        if name not in names:
            raise UsageError(f"--retry {name}: {unknown_name(name, sorted(names))}")
    return Scope(trials, Options(prune=prune, retry=frozenset(retry)), is_whole)
