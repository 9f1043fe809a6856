"""One prompt by hand: the template of a spec, filled with values that come from no data set."""

from __future__ import annotations

from collections.abc import Mapping

from tunekit.dataset.checks import parsed_prompt
from tunekit.errors import UsageError
from tunekit.model import Experiment


def render(experiment: Experiment, values: Mapping[str, str], *, text: str | None = None) -> str:
    """Return the prompt with `values` by placeholder; `text` fills the one that is left.

    UsageError where placeholders and values do not match.
    """
    template, _ = parsed_prompt(experiment)
    names = list(dict.fromkeys(template.names))
    unknown = [name for name in values if name not in names]
    if unknown:
        raise UsageError(
            f"the prompt of {experiment.name} has no {{{unknown[0]}}}; it has: {', '.join(names)}"
        )
    missing = [name for name in names if name not in values]
    given = dict(values)
    if text is not None:
        if not missing:
            raise UsageError("--column fills every placeholder; leave TEXT out")
        target = "input" if "input" in missing else missing[0]
        given[target] = text
        missing.remove(target)
    if missing:
        raise UsageError(
            f"the prompt of {experiment.name} also needs {{{missing[0]}}}; "
            f"give --column {missing[0]}=VALUE"
        )
    return template.render([given[name] for name in template.names])
