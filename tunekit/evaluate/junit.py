"""An evaluation as a JUnit file, which build servers show. No row enters it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

from tunekit.evaluate.results import Evaluated, Result

# What XML 1.0 can't hold: https://www.w3.org/TR/xml/#charsets
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(evaluated: Evaluated, *, name: str, split: str) -> str:
    """Return JUnit XML: a suite a model, a case a comparison of the condition, or a metric.

    Where the condition as a whole is met although a comparison is not (`or`), none has failed.
    """
    root = ElementTree.Element("testsuites", {"name": _text(f"tunekit evaluate {name}")})
    for result in evaluated.results:
        suite = ElementTree.SubElement(root, "testsuite")
        properties = ElementTree.SubElement(suite, "properties")
        about = {"model": result.model, "split": split, "rows": str(evaluated.rows)}
        for key, value in {**about, **_numbers(result)}.items():
            ElementTree.SubElement(properties, "property", {"name": key, "value": _text(value)})
        failures = _cases(suite, result, f"{name}.{result.target}")
        cases = len(suite.findall("testcase"))
        suite.attrib |= {
            "name": _text(f"{name} {result.target}"),
            "tests": str(cases),
            "failures": str(failures),
            "errors": "0",
        }
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(suite: ElementTree.Element, result: Result, owner: str) -> int:
    """Add the cases of one model; return how many failed."""
    failures = 0
    if not result.clauses:
        for metric in result.scores:
            ElementTree.SubElement(suite, "testcase", {"name": metric, "classname": _text(owner)})
    for clause in result.clauses:
        case = ElementTree.SubElement(
            suite, "testcase", {"name": _text(clause.text), "classname": _text(owner)}
        )
        if not clause.is_met and result.is_met is False:
            ElementTree.SubElement(case, "failure", {"message": _text(str(clause))})
            failures += 1
    return failures


def _numbers(result: Result) -> Mapping[str, str]:
    return {
        metric: f"{score:.6g} [{low:.6g}, {high:.6g}]"
        for metric, score in result.scores.items()
        for low, high in [result.intervals[metric]]
    }


def _text(value: str) -> str:
    return _NOT_XML.sub("\ufffd", value)
