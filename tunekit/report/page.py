"""One HTML file that needs nothing else: style, script, plots and data are inside.

Its Content-Security-Policy lets exactly these scripts and styles run, by their hashes, and refuses
every request, so that a string from a server can be nothing but text.
"""

from __future__ import annotations

import base64
import hashlib
import html
from functools import cache
from importlib.resources import files
from string import Template

from tunekit.report.compact import compact
from tunekit.report.model import Report
from tunekit.views.text import clean

MOST_BYTES = 1_000_000

# What a file opened from disk may do: nothing but run its own code. The live page may also ask
# for its data.
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; "
    "connect-src {connect}; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_SCRIPTS = ("format", "data", "elements", "charts", "overview", "job", "compare", "main")


def page_of(report: Report) -> bytes:
    """Return the whole page, UTF-8; under MOST_BYTES as far as thinner curves can do that."""
    return wrapped(data_of(report), title=report.title, is_live=False)


def data_of(report: Report) -> str:
    """Return the report as JSON that fits into a page and may stand inside a script element."""
    shell = wrapped("", title=report.title, is_live=True)
    return compact(report, most_bytes=MOST_BYTES - len(shell))


def wrapped(data: str, *, title: str, is_live: bool) -> bytes:
    """Return the page around its data; a live one asks for `data.json` beside it."""
    scripts, styles = _scripts(), _styles()
    policy = _POLICY.format(
        scripts=" ".join(map(_hash, scripts)),
        styles=" ".join(map(_hash, styles)),
        connect="'self'" if is_live else "'none'",
    )
    page = Template(_asset("page.html")).substitute(
        title=html.escape(clean(title)),
        policy=html.escape(policy),
        live="true" if is_live else "false",
        styles="\n".join(f"<style>{style}</style>" for style in styles),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
        data=data,
    )
    return page.encode("utf-8", "backslashreplace")


@cache
def _scripts() -> tuple[str, ...]:
    ours = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    return _asset("vendor/uPlot.iife.min.js").strip(), f"(() => {{\n'use strict';\n{ours}\n}})();"


@cache
def _styles() -> tuple[str, ...]:
    return _asset("vendor/uPlot.min.css").strip(), _asset("report.css").strip()


def _asset(name: str) -> str:
    return (files("tunekit.report") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
