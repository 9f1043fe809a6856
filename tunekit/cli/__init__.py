"""The command line: `main` is what the `tunekit` script calls."""

from tunekit.cli.root import main

__all__ = ["main"]
