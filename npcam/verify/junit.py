"""A comparison as JUnit XML, which continuous integration shows: a test case for each layer."""

from collections.abc import Mapping
from xml.etree import ElementTree

from npcam.common.text import printable
from npcam.verify.compare import Report, Row
from npcam.verify.report import explain_row

IGNORED = "ignored, as it was asked for: not judged"


def as_junit(reports: Mapping[str, Report]) -> bytes:
    """JUnit XML, UTF-8: a suite for each photograph, in it a case for each layer of the network.

    A layer beyond rounding is a failure, and so is one that is missing where that is not allowed, one
    that only the other run has, and a missing one whose weights are not the same. Skipped are layers
    that are allowed to be missing, those that are judged with another, and those that were to be ignored.
    The first failure says the cause. So a suite has failures
    exactly where the status is 1.

    Args:
        reports: the comparisons, by the photograph's name.
    """
    root = ElementTree.Element("testsuites", name="npcam verify")
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for photo, report in reports.items():
        suite = ElementTree.SubElement(root, "testsuite", name=_text(photo))
        counts = dict.fromkeys(totals, 0)
        for name, result, words in _cases(report):
            case = ElementTree.SubElement(suite, "testcase", classname="npcam.verify", name=_text(name))
            counts["tests"] += 1
            if result:
                first, *_ = words.splitlines()
                counts["failures" if result == "failure" else "skipped"] += 1
                ElementTree.SubElement(case, result, message=_text(first)).text = _lines(words)
        for name, count in counts.items():
            suite.set(name, str(count))
            totals[name] += count
    for name, count in totals.items():
        root.set(name, str(count))
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _cases(report: Report) -> list[tuple[str, str, str]]:
    """(name, "failure", "skipped" or "", words) of each layer."""
    cases = [(row.name, _result(row), _words(report, row)) for row in report.rows]
    shown = {row.name for row in report.rows}
    cases += [(n, "skipped", IGNORED) for n in report.ignored if n not in shown]
    cases += [(n, "skipped", "not given; judged with the next that is") for n in report.not_given]
    for name in report.missing:
        if name in report.other_weights:
            cases.append((name, "failure", "missing, and its weights are not the same, bit for bit"))
        elif report.partial or name in report.not_kept:
            cases.append((name, "skipped", "missing, which is allowed"))
        else:
            cases.append((name, "failure", "missing: not compared"))
    return cases + [(n, "failure", f"extra: only {report.other} has it") for n in report.extra]


def _result(row: Row) -> str:
    """What became of a layer that was compared."""
    if row.ignored:
        return "skipped"
    return "" if row.ok else "failure"


def _words(report: Report, row: Row) -> str:
    """What is known of a layer that is beyond rounding, or why it is not judged."""
    if row.ignored:
        return IGNORED
    return "" if row.ok else "\n".join(line.strip() for line in explain_row(report, row))


def _lines(text: str) -> str:
    """Several lines that XML can hold."""
    return "\n".join(map(_text, text.split("\n")))


def _text(text: str) -> str:
    """A text that XML can hold: what does not print is escaped."""
    return printable(text).encode("utf-8", "backslashreplace").decode()
