"""`tunekit init`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from tunekit import spec
from tunekit.cli import options
from tunekit.errors import TunekitError, UsageError

_PROJECT = """\
# yaml-language-server: $schema=schemas/project.schema.json
registry: .tunekit/registry.db
defaults:
  provider: local
"""

_EXPERIMENT = """\
# yaml-language-server: $schema=../schemas/experiment.schema.json
name: example
description: Mask e-mail addresses and order numbers in support messages.
base_model: text-editor

dataset:
  source: {path: data/example.jsonl}
  columns: {input: message, output: masked}
  prompt: |
    Mask the personal data.

    Input:
    {input}

    Output:
  split: {train: 200, test: 40}

tuning:
  epochs: 3
  batch_size: 8

evaluate:
  metrics: [exact_match, token_f1]
"""

# Numbers of parts without a common divisor: no row has all three parts of another.
_OPENINGS = (
    "Hello,",
    "Good morning!",
    "I hope you can help me:",
    "This is the second time that I write.",
    "Hi there, a quick question.",
    "Dear support team,",
    "To whom it may concern:",
    "Thanks for the fast answer yesterday.",
    "Sorry to bother you again.",
    "We talked on the phone this week.",
)
_BODIES = (
    "my order {order} has not come yet, please write to {email}.",
    "where is {order}? I was told it left the warehouse on Monday.",
    "please cancel {order} and tell {email} once that is done.",
    "I was charged twice for {order}, my address is {email}.",
    "the blue jacket fits well and nothing is missing.",
    "can you send the invoice of {order} to {email}, please?",
    "the parcel was damaged when it came, both cups are broken.",
    "use {email} from now on, the old address is gone.",
    "{order} should go to my neighbour, who is at home all day.",
    "how long may I keep the lamp before it can't go back?",
    "somebody at {email} never got the voucher for {order}.",
)
_CLOSINGS = (
    "Many thanks!",
    "An answer by Friday would be kind.",
    "I have added two photographs.",
    "It is a present for my sister.",
    "Best wishes from Lisbon.",
    "There is no hurry at all.",
    "Please call if anything is unclear.",
    "The courier did not leave a note.",
    "Otherwise I was always content with your shop.",
    "My colleague had the same trouble in spring.",
    "What else do you need from me?",
    "That would be all for today.",
    "Could somebody look into it, please?",
)
_NAMES = ("ana", "joao", "mei.lin", "omar", "t.nguyen", "sofia", "lars", "amara", "kim", "ivan")
_HOSTS = ("example.com", "example.org", "mail.example.net")
_ROWS = 240


@click.command(epilog=options.example("tunekit init my-project && cd my-project && tunekit plan"))
@click.argument(
    "folder", default=".", type=click.Path(file_okay=False, path_type=Path), metavar="[FOLDER]"
)
def command(folder: Path) -> None:
    """Start a project: a tunekit.yaml, an example experiment and its data.

    Writes only files that are not there yet. The schemas are copied into the project so that an
    editor with a YAML language server completes and checks the specs.
    """
    files = {
        "tunekit.yaml": _PROJECT,
        "experiments/example.yaml": _EXPERIMENT,
        "data/example.jsonl": "".join(_rows()),
        "schemas/experiment.schema.json": spec.schema_text("experiment"),
        "schemas/project.schema.json": spec.schema_text("project"),
    }
    there = [name for name in files if (folder / name).exists()]
    if len(there) == len(files):
        raise UsageError(f"{folder}: is a project already; see `tunekit plan`")
    try:
        for name, text in files.items():
            if name not in there:
                _write(folder / name, text)
                click.echo(f"wrote {folder / name}")
        _ignore(folder / ".gitignore")
    except OSError as error:
        raise TunekitError(f"{error.filename}: {error.strerror}; choose another folder") from error
    for name in there:
        click.echo(f"kept  {folder / name}")
    move = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"Next: {move}tunekit plan && tunekit apply --wait", err=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _ignore(path: Path) -> None:
    """Keep the registry and the jobs' rows out of git."""
    line = ".tunekit/\n"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if line.strip() not in text.split():
        path.write_text(text + ("" if text.endswith("\n") or not text else "\n") + line)


def _rows() -> Iterator[str]:
    for number in range(_ROWS):
        name = _NAMES[number * 7 % len(_NAMES)]
        email = f"{name}{number % 13}@{_HOSTS[number % len(_HOSTS)]}"
        order = f"#{40000 + number * 37}"
        parts = (part[number % len(part)] for part in (_OPENINGS, _BODIES, _CLOSINGS))
        template = " ".join(parts)
        row = {
            "message": template.format(order=order, email=email),
            "masked": template.format(order="[ORDER]", email="[EMAIL]"),
        }
        yield json.dumps(row) + "\n"
