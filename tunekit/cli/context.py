"""Wiring: the one place that reads the clock, the environment, the terminal and git."""

from __future__ import annotations

import getpass
import os
import random
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tunekit import providers, spec
from tunekit.errors import ProviderError, RegistryError, UsageError
from tunekit.model import (
    Actor,
    Clock,
    Completion,
    Generation,
    Job,
    RecordedTrial,
    trial_key,
)
from tunekit.observe import Observer
from tunekit.providers.base import Provider, TellsProgress
from tunekit.registry import ApplierLock, Holder, Registry
from tunekit.retry import ask
from tunekit.views.output import Output
from tunekit.views.progress import Sending

if TYPE_CHECKING:
    from tunekit.views.follow import Follower


# A revision's digest is told from a job's number by its length.
_LEAST_DIGEST = 6


@dataclass
class App:
    """What a command works with; each part is made when it is first needed."""

    project_dir: Path | None = None
    registry_path: Path | None = None
    format: str = "table"
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    arguments: tuple[str, ...] = ()

    @cached_property
    def project(self) -> spec.Project:
        return spec.load_project(Path.cwd(), environ=self.environ, project_dir=self.project_dir)

    @cached_property
    def registry(self) -> Registry:
        return Registry.open(self.registry_path or self.project.registry)

    @property
    def has_registry(self) -> bool:
        """True where there is a file; RegistryError where one that was named is not there."""
        path = self.registry_path or self.project.registry
        try:
            is_there = path.exists()
        except OSError as error:
            raise RegistryError(f"{path}: {error.strerror}; see its folder's rights") from error
        if self.registry_path is not None and not is_there:
            raise RegistryError(f"{path}: no such registry; see --registry")
        return is_there

    def close(self) -> None:
        """Close what was opened."""
        if "registry" in self.__dict__:
            self.registry.close()

    @cached_property
    def clock(self) -> Clock:
        return Clock(now_s=time.time, sleep=time.sleep, random=random.random)

    # --- people and machines -------------------------------------------------------------

    @cached_property
    def output(self) -> Output:
        """Standard output, for data."""
        return self._output(sys.stdout)

    @cached_property
    def notes(self) -> Output:
        """Standard error, for progress, prompts and warnings."""
        return self._output(sys.stderr)

    def _output(self, stream: TextIO | None) -> Output:
        if stream is None:  # closed by the caller: `tunekit status >&-`
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        is_terminal = stream.isatty() and self.environ.get("TERM") != "dumb"
        return Output(
            stream=stream,
            format=self.format,
            is_terminal=is_terminal,
            has_colour=is_terminal and not self.environ.get("NO_COLOR"),
            width=shutil.get_terminal_size((80, 24)).columns,
        )

    def say(self, text: str) -> None:
        """Print a note to standard error."""
        self.notes.text(text)

    def follower(self, output: Output | None = None) -> Follower:
        """Return what shows jobs moving: on `output`, standard error where none is named."""
        from tunekit.views.follow import follower

        chosen = output or self.notes
        return follower(chosen, lambda: self.screen(chosen.stream), self.clock.now_s())

    def screen(self, stream: TextIO) -> tuple[int, int]:
        """Return the width and height of the terminal behind a stream, as it is now."""
        try:
            size = os.get_terminal_size(stream.fileno())
        except (OSError, ValueError):  # no terminal, or no file
            size = shutil.get_terminal_size((80, 24))
        # A terminal that does not know its size says 0.
        return self._columns or size.columns or 80, size.lines or 24

    @property
    def _columns(self) -> int:
        wanted = self.environ.get("COLUMNS", "")
        return int(wanted) if wanted.isdecimal() else 0

    @property
    def can_ask(self) -> bool:
        return sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str, *, is_agreed: bool, otherwise: str) -> bool:
        """Ask on the terminal; UsageError naming `otherwise` where there is none."""
        if is_agreed:
            return True
        if not self.can_ask:
            raise UsageError(f"there is no terminal to ask on; {otherwise}")
        self.notes.stream.write(f"{question} [y/N] ")
        self.notes.stream.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    # --- who and why -----------------------------------------------------------------------

    @cached_property
    def who(self) -> str:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a user without a name, as containers run
            user = str(os.getuid())
        return f"{user}@{socket.gethostname()}"

    @cached_property
    def command(self) -> str:
        return shlex.join(("tunekit", *self.arguments))

    def actor(self) -> Actor:
        """Return who acts, for the record: with the commit that the specs are at."""
        commit, is_dirty = git_state(self.project.root)
        return Actor(who=self.who, command=self.command, commit=commit, is_dirty=is_dirty)

    def bystander(self) -> Actor:
        """Return who looks, for the record of what was seen.

        Only the command's name is recorded: `predict` is given texts.
        """
        return Actor(who=self.who, command=shlex.join(("tunekit", *self.arguments[:1])))

    def lock(self, timeout_s: float = 0.0) -> ApplierLock:
        """Return the lock that lets one applier at a time start jobs."""
        path = self.registry.path
        holder = Holder(
            who=self.who, pid=os.getpid(), command=self.command, since_s=self.clock.now_s()
        )
        return ApplierLock(path.with_name(path.name + ".lock"), holder, timeout_s=timeout_s)

    # --- providers -------------------------------------------------------------------------

    @cached_property
    def _providers(self) -> dict[str, Provider]:
        return {}

    def kind_of(self, name: str) -> str:
        """Return the kind behind a provider name: a profile's, or the name itself."""
        profile = self.project.profiles.get(name)
        return profile.kind if profile else name

    def provider_of(self, name: str) -> Provider:
        """Return the provider of a name, opened once. ProviderError where there is none."""
        if name not in self._providers:
            profile = self.project.profiles.get(name)
            registry = self.registry_path or self.project.registry
            try:
                opened = providers.open_provider(
                    self.kind_of(name),
                    profile.options if profile else {},
                    registry.parent / name,
                    self.environ,
                )
            except ProviderError as error:
                if profile or name in providers.kinds():
                    raise
                known = sorted({*self.project.profiles, *providers.kinds()})
                raise ProviderError(f"{error}; names in use here: {', '.join(known)}") from error
            if isinstance(opened, TellsProgress):
                opened.progress = Sending(self.clock, self.say)
            self._providers[name] = opened
        return self._providers[name]

    def ask(
        self, provider: str, model: str, prompts: Sequence[str], generation: Generation
    ) -> Iterator[Completion]:
        """Yield one answer a prompt, in order; what can't be answered now is asked again."""
        return ask(
            self.provider_of(provider), model, prompts, generation, clock=self.clock, say=self.say
        )

    def observer(self, actor: Actor | None = None) -> Observer:
        """Return what asks providers and writes down their answers."""
        return Observer(self.registry, self.provider_of, self.clock, actor or self.bystander())

    # --- names -----------------------------------------------------------------------------

    def recorded(self, name: str) -> RecordedTrial:
        """Return one recorded trial by name. UsageError, with near misses, where there is none."""
        if not self.has_registry:
            raise UsageError(unknown_name(name, []))
        found = self.registry.trials_of([trial_key(name)])
        if found:
            return found[0]
        raise UsageError(unknown_name(name, self.registry.names()))

    def job(self, name: str) -> tuple[RecordedTrial, Job]:
        """Return the job that NAME (the current one), NAME@NUMBER or NAME@REVISION means.

        A revision is written by the first characters of its digest, at least six; its newest job
        is meant. UsageError where there is none.
        """
        experiment, _, number = name.partition("@")
        trial = self.recorded(experiment)
        if not number:
            job = trial.current()
            if job is None:
                raise UsageError(f"{name} has no job yet; run `tunekit apply`")
            return trial, job
        for job in trial.jobs:
            if str(job.number) == number:
                return trial, job
        if len(number) >= _LEAST_DIGEST:
            revisions = {j.revision for j in trial.jobs if j.revision.startswith(number)}
            if len(revisions) > 1:
                raise UsageError(f"{name}: {len(revisions)} revisions begin so; write more of it")
            for job in reversed(trial.jobs):
                if job.revision in revisions:
                    return trial, job
        last = trial.jobs[-1].number if trial.jobs else 0
        has = f"it has {last}, see `tunekit history`"
        raise UsageError(f"{experiment} has no job {number}, nor a revision that begins so; {has}")


def unknown_name(name: str, known: list[str]) -> str:
    """Say that a name is unknown, which is near, and where names are listed."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"no experiment {name!r} is recorded; did you mean {near[0]!r}?"
    if not known:
        return f"no experiment {name!r} is recorded, nor any other; run `tunekit apply` first"
    return f"no experiment {name!r} is recorded; `tunekit status` lists them"


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """Return the commit at `root` and whether anything differs from it; None outside git."""
    try:
        done = subprocess.run(
            ["git", "status", "--porcelain=v2", "--branch"],  # noqa: S607 - git as the user has it
            cwd=root,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    lines = done.stdout.decode(errors="replace").splitlines()
    commits = [text.split()[2] for text in lines if text.startswith("# branch.oid ")]
    commit = commits[0] if commits and commits[0] != "(initial)" else None
    return commit, any(not text.startswith("#") for text in lines)
