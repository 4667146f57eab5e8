"""A report checked: everything in it worked out anew, from the weights and the photographs themselves.

It says whether the numbers are those that these weights give for these photographs. It does not say that
the network is right, or why it decided as it did.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from npcam.common.errors import InputError
from npcam.common.version import __version__
from npcam.explain import check_threshold
from npcam.images.preprocess import check_interpolation
from npcam.labels import Target
from npcam.model import Model, load_model
from npcam.report.audited import Auditor
from npcam.report.bundle import model_data, versions
from npcam.report.canonical import SEAL, seal
from npcam.report.compare import Checking, compare_photo
from npcam.report.explained import Options
from npcam.report.find import find_photographs, find_weights
from npcam.report.page import write_page
from npcam.report.read import Report, read_report
from npcam.report.verdict import Difference, Verdict

ALIGNMENTS = ("corners", "centers")


def recheck(
    path: str | Path,
    weights: str | Path | None = None,
    photos: str | Path | None = None,
    done: Callable[[int, int], None] = lambda done, of: None,  # noqa: ARG005
    auditor: Callable[[Model, str], Auditor] | None = None,
) -> Verdict:
    """Work out anew all that a report shows, and compare.

    Args:
        path: the report's page.
        weights: the weights file, or the name of fetched weights; None for whichever of the bundled and the
            fetched ones has the hash that the report says.
        photos: a folder to look for the photographs in, besides that of the report.
        done: called after each photograph: how many are done, of how many.
        auditor: makes of the network and the interpolation what audits a pass, for reports with an audit.

    Raises:
        InputError: it cannot be checked: no report or a damaged one, or the weights or a photograph are not
            there.
    """
    report = read_report(path)
    files = find_photographs(report, photos)
    weights_file = find_weights(report, weights)
    model = load_model(weights_file, threads=1)
    model.require_top("be what a report is of")
    options = _options(report, model)
    audit = auditor(model, options.interpolation) if auditor is not None and options.audit else None
    checking = Checking(Verdict(), report, model, options, audit)
    _compare_model(checking.verdict, report.data["model"], model_data(model, weights_file))
    for number, file in enumerate(files):
        compare_photo(checking, number, file)
        done(number + 1, len(files))
    _compare_document(checking.verdict, report)
    return checking.verdict


def _options(report: Report, model: Model) -> Options:
    """The options that a report states, if they are some."""
    stated = report.data["options"]
    targets: tuple[Target, ...] | None = None if stated["targets"] is None else tuple(stated["targets"])
    try:
        check_interpolation(stated["interpolation"])
        check_threshold(stated["threshold"])
        if targets is not None:
            model.class_indices(targets)
        if stated["align"] not in ALIGNMENTS:
            raise InputError(f"align {stated['align']!r}: expected one of {', '.join(ALIGNMENTS)}")
        if not stated["top"]:
            raise InputError("top 0: expected a number of classes")
    except InputError as error:
        raise InputError(f"{report.path}: cannot be checked: its options: {error}") from error
    return Options(**{**stated, "targets": targets})


def _compare_model(verdict: Verdict, stated: dict[str, Any], found: dict[str, Any]) -> None:
    """What is said of the network; what its file was called, and on what machine, cannot be known."""
    for key, value in stated.items():
        if key not in ("weights", "versions"):
            verdict.same(f"model, {key.replace('_', ' ')}", value, found[key])
    if stated["weights"] != found["weights"]:
        verdict.notes.append(
            f"the report calls the weights {stated['weights']}; here they are called {found['weights']}"
        )
    here = versions()
    others = [f"{name} {v}, here {here[name]}" for name, v in stated["versions"].items() if v != here[name]]
    said = f"; other than here: {'; '.join(others)}" if others else "; it names those that are here"
    verdict.notes.append(f"not looked at: which libraries made the report{said}")


def _compare_document(verdict: Verdict, report: Report) -> None:
    """The data's own text, and all that the page has besides them."""
    verdict.same("hash over all data", report.data[SEAL], seal(report.data))
    if not report.as_written:
        verdict.differences.append(
            Difference("the data's text", "another one", "the one npcam writes for them")
        )
    if report.data["npcam"] != __version__:
        wrote = f"npcam {report.data['npcam']} wrote; this is npcam {__version__}"
        verdict.notes.append(f"not looked at: the page's own words, style and script, which {wrote}")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.html")
        try:
            write_page(path, report.data, report.pictures)
        except InputError:
            raise
        except Exception as error:  # a template may raise anything where data do not fit together
            found = f"none can be made of the data ({type(error).__name__})"
            verdict.differences.append(Difference("the page", "one", found))
            return
        anew = path.read_bytes()
    verdict.compared += 1
    if report.page != anew:
        verdict.differences.append(_first_line_apart(report.page, anew))


def _first_line_apart(stated: bytes, found: bytes) -> Difference:
    """The first line in which a page is not the one that its data make."""
    pages = [page.decode("utf-8", "backslashreplace").split("\n") for page in (stated, found)]
    for number, (one, other) in enumerate(zip(*pages, strict=False), start=1):
        if one != other:
            return Difference(f"the page, line {number}", one, other)
    return Difference("the page, number of lines", len(pages[0]), len(pages[1]))
