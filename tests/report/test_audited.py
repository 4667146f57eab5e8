"""An audit in a report: from a pass of the photograph alone, and altered members are found."""

import base64
import copy
import io
import re

import numpy as np
import pytest
from helpers.forged import forge, make_photographs, make_report, make_weights
from PIL import Image, ImageDraw

from npcam.common.errors import InputError
from npcam.report.audited import ALLOWED, compare_audit
from npcam.report.explained import Options
from npcam.report.read import read_report
from npcam.report.recheck import recheck
from npcam.report.verdict import Verdict

PICTURE = Image.new("RGB", (80, 60), "white")
ImageDraw.Draw(PICTURE).line((5, 50, 75, 10), "black", 2)


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def auditor(model, interpolation="nearest"):
    """A small audit of one number, in the form that npcam's has."""

    def audit(seen, target):
        e = seen.explain(target)
        share = float((e.cam > 0).mean())
        figure = {
            "key": "deletion",
            "title": "Deletion",
            "sentence": f"Over 35 cells the map is positive in {share:.3f} of them.",
            "value": share,
            "paper": "Petsiuk et al. 2018",
            "low": None,
            "high": None,
            "interval": None,
            "picture": {"mime": "image/png", "base64": png(PICTURE)},
        }
        return {
            "figures": [figure],
            "numbers": {"logit": e.logit},
            "notes": [],
            "done": model.has_top and interpolation == "nearest",
        }

    return audit


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a report that holds an audit, in the form of a page or of its parts."""
    from npcam.model import load_model

    folder = tmp_path_factory.mktemp("audited")
    weights, photos = make_weights(folder / "narrow.h5"), make_photographs(folder)
    options = Options(audit=True, top=2)
    make_report(folder / "honest.html", weights, photos, options, auditor(load_model(weights, threads=1)))
    return folder


def check(report, place, **options):
    return recheck(report, place / "narrow.h5", place, **{"auditor": auditor} | options)


def test_an_honest_audit_holds(place):
    """The same numbers come out of a photograph alone as out of a batch of two."""
    assert check(place / "honest.html", place).differences == []


def test_nothing_to_audit_with(place):
    """A report with an audit cannot be checked without one."""
    with pytest.raises(InputError, match="holds an audit"):
        check(place / "honest.html", place, auditor=None)


def in_figure(key, function):
    def change(audit):
        audit["figures"][0][key] = function(audit["figures"][0][key])

    return change


def drawn(text):
    return in_figure("picture", lambda picture: {**picture, "base64": text})


ALTERED = {
    "value": in_figure("value", lambda value: value + 3 * ALLOWED),
    "sentence": in_figure("sentence", lambda words: words.replace("positive", "negative")),
    "number in a sentence": in_figure("sentence", lambda words: re.sub(r"\d\.\d{3}", "0.123", words)),
    "count in a sentence": in_figure("sentence", lambda words: words.replace("35", "36")),
    "interval": in_figure("low", lambda _: 0.1),
    "a figure left out": lambda audit: audit.update(figures=[]),
    "a member more": lambda audit: audit.update(more=1),
    "note": lambda audit: audit.update(notes=["nothing was left out"]),
    "truth value": lambda audit: audit.update(done=False),
    "picture": drawn(png(Image.new("RGB", (80, 60), "black"))),
    "size of the picture": drawn(png(PICTURE.resize((40, 30)))),
    "no picture": drawn("AAAA"),
    "no base64": drawn(7),
}


def altered(audit, what):
    """The audit with one member changed."""
    audit = copy.deepcopy(audit)
    ALTERED[what](audit)
    return audit


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_audit(place, what):
    """Each member that is another one is named."""
    audit = read_report(place / "honest.html").data["photos"][0]["audit"]
    verdict = Verdict()
    compare_audit(verdict, "photo 1, audit", altered(audit, what), audit)
    assert len(verdict.differences) == 1
    assert verdict.differences[0].where.startswith("photo 1, audit")


def test_in_a_whole_report(place, tmp_path):
    """The value is named by its figure; without its audit, and the option, a report is true as well."""

    def other(data):
        data["photos"][1]["audit"] = altered(data["photos"][1]["audit"], "value")

    report = forge(place / "honest.html", other, tmp_path / "forged.html")
    assert str(check(report, place).differences[0]).startswith("photo 2, audit, figures deletion, value: ")

    def without(data):
        data["options"]["audit"] = False
        for photo in data["photos"]:
            photo["audit"] = None

    assert check(forge(place / "honest.html", without, tmp_path / "plain.html"), place).holds


def test_what_another_machine_may_say(place):
    """A part in a thousand, the last digit in a sentence, and a line drawn a little otherwise."""
    audit = read_report(place / "honest.html").data["photos"][0]["audit"]
    there = copy.deepcopy(audit)
    figure = there["figures"][0]
    figure["value"] += ALLOWED / 2
    figure["sentence"] = (
        f"Over 35 cells the map is positive in {audit['figures'][0]['value'] + 1e-3:.3f} of them."
    )
    pixels = np.array(PICTURE)
    pixels[20] -= np.minimum(pixels[20], 40)
    figure["picture"]["base64"] = png(Image.fromarray(pixels))
    verdict = Verdict()
    compare_audit(verdict, "audit", there, audit)
    assert verdict.differences == []
    assert len(verdict.notes) == 1
