"""Jobs -> the tools that people already open. Each tool is written by its own library."""

from tunekit.export.run import Run, RunScore, Written, run_of

__all__ = ["Run", "RunScore", "Written", "run_of"]
