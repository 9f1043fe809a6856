"""`tunekit completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from tunekit.cli import options
from tunekit.errors import UsageError


@click.command(epilog=options.example('eval "$(tunekit completion bash)"'))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    Put the line of the example into your shell's start-up file; for fish, write
    `tunekit completion fish > ~/.config/fish/completions/tunekit.fish`.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"{shell} is not supported; bash, zsh and fish are")
    group = context.find_root().command
    try:
        source = kind(group, {}, "tunekit", "_TUNEKIT_COMPLETE").source()
    except RuntimeError as error:
        raise UsageError(f"{shell}: {error}") from error
    click.echo(source)
