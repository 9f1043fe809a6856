"""Which providers a command means that is about providers, not about experiments."""

from __future__ import annotations

from collections.abc import Sequence

from tunekit.cli.context import App
from tunekit.model import Experiment


def provider_names(
    app: App, chosen: Sequence[str], experiments: Sequence[Experiment] = ()
) -> list[str]:
    """Return the chosen names, else all that this project configures, uses or used."""
    if chosen:
        return list(dict.fromkeys(chosen))
    names = set(app.project.configured)
    names |= {experiment.provider for experiment in experiments}
    if app.has_registry:
        names |= {job.provider for job in app.registry.jobs()}
    return sorted(names) or ["local"]
