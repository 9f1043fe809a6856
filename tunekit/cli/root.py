"""The command group, its exit codes, and loading each command only when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from tunekit import __version__
from tunekit.errors import TunekitError

# name -> what it does, in the order of a project's life. Kept here so that `tunekit --help`
# imports no command; a test compares it with each command's own help.
COMMANDS = {
    "init": "Start a project: a tunekit.yaml, an example experiment and its data.",
    "validate": "Check experiment files; report every problem at once.",
    "plan": "Show what apply would do, and why. Changes nothing.",
    "apply": "Make it so: submit, replace and cancel jobs as the files say.",
    "status": "Show every experiment's current job.",
    "show": "Show one experiment, its job and its rendered examples.",
    "dataset": "Show, compare and export the rows that jobs are tuned on.",
    "metrics": "Show training metrics as a table or a curve, and what they advise.",
    "history": "Show every job ever: who, when, which commit, why, what it cost, how it ended.",
    "compare": "Compare jobs: only what differs, beside their curves and scores.",
    "why": "Trace an endpoint or a model back to its experiment, commit, rows and scores.",
    "export": "Write jobs into the tools people already open: MLflow, TensorBoard.",
    "evaluate": "Score a tuned model on held-out rows.",
    "predict": "Ask a tuned model.",
    "report": "Write everything that was tuned as one HTML file to share.",
    "ui": "Serve the report live on this machine.",
    "cancel": "Cancel running jobs.",
    "wait": "Wait until jobs have ended.",
    "discover": "List jobs that providers have and the registry does not know.",
    "import": "Adopt a job that was started elsewhere.",
    "doctor": "Look at what jobs need, and say what is missing and how to get it.",
    "emulator": "Serve Vertex AI tuning, Gemini API tuning and Cloud Storage on this machine.",
    "completion": "Print the completion script of a shell.",
}

INTERRUPTED = 130


class LazyGroup(click.Group):
    """Imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"tunekit.cli.commands.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see tunekit --help"
            raise click.UsageError(f"no command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: tunekit plan && tunekit apply --wait && tunekit status",
)
@click.version_option(__version__, prog_name="tunekit")
def group() -> None:
    """Keep model-tuning experiments as YAML: plan them, apply them, watch and judge them.

    Exit codes: 0 done, 1 error, 2 wrong use or bad spec, 3 stale plan, 4 registry, 5 provider,
    130 interrupted. `plan --detailed-exitcode` gives 2 for changes and 1 for any error;
    `evaluate` gives 102 where the model is not good enough by evaluate.promote_if;
    `wait` and `apply --wait` give 100 where a job failed, 101 when time ran out, 103 where one was
    cancelled.
    """


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = group.main(prog_name="tunekit", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except TunekitError as error:
        _complain(str(error))
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`tunekit status | head`); nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        _complain(f"{error.filename or 'input or output'}: {error.strerror or error}")
        code = TunekitError.exit_code
    except Exception as error:
        if os.environ.get("TUNEKIT_DEBUG"):
            raise
        # Its text may quote a row, so only its place is told.
        _complain(f"{_place_of(error)}: this is a bug; TUNEKIT_DEBUG=1 shows the traceback")
        code = TunekitError.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _place_of(error: Exception) -> str:
    """Return `unexpected KeyError at apply.py:12`."""
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} at {os.path.basename(last.filename)}:{last.lineno}"


def _complain(text: str) -> None:
    from tunekit.views.text import clean

    lines = clean(text).splitlines()
    # A list of problems speaks for itself; a single sentence gets the program's mark.
    prefix = "" if len(lines) > 1 or _starts_with_place(text) else "tunekit: "
    click.echo(prefix + "\n".join(lines), err=True)


def _starts_with_place(text: str) -> bool:
    place = text.split(": ", 1)[0].rsplit(":", 2)
    return len(place) == 3 and place[1].isdigit()
