"""`recheck`: honest reports hold, and whatever is altered is found, however carefully."""

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.forged import (
    NAMES,
    edit,
    edit_data,
    forge,
    make_photographs,
    make_report,
    make_weights,
    with_data,
)
from PIL import Image

from npcam.common.errors import InputError
from npcam.images.photos import open_photo
from npcam.images.preprocess import load_image
from npcam.model import load_model
from npcam.report import bundle as bundles
from npcam.report import compare
from npcam.report import recheck as checks
from npcam.report.canonical import decode, encode, sha256_of
from npcam.report.expected import exact, expected_classes
from npcam.report.explained import Options
from npcam.report.photograph import QUALITY
from npcam.report.read import read_report
from npcam.report.recheck import recheck
from npcam.report.verdict import Difference, Verdict


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with weights, two photographs, and their report `honest.html`."""
    folder = tmp_path_factory.mktemp("place")
    make_report(folder / "honest.html", make_weights(folder / "narrow.h5"), make_photographs(folder))
    return folder


def check(report, place, **options):
    return recheck(report, place / "narrow.h5", options.pop("photos", place), **options)


# Honest reports


def test_an_honest_report_holds(place):
    """Nothing differs; the network's own numbers are within rounding, and by far."""
    verdict = check(place / "honest.html", place)
    assert verdict.differences == []
    assert verdict.holds
    assert verdict.compared > 2 * 3 * 4 * 32
    for allowed, found in verdict.used.values():
        assert found <= allowed / 4
    assert verdict.used.keys() == {"maps", "logits", "probabilities"}
    assert [note.split(":")[0] for note in verdict.notes] == ["not looked at"]


@pytest.mark.parametrize(
    "model",
    [{"threads": 2}, {"engine": "reference"}, {"dtype": np.float64}, {"dtype": np.float64, "threads": 2}],
)
def test_another_machine(place, model, tmp_path):
    """Other threads, another engine, float64: other bits, and the report holds."""
    photos = [str(place / name) for name in ("one.png", "two.jpg")]
    report = make_report(tmp_path / "other.html", place / "narrow.h5", photos, **model)
    assert check(report, place).differences == []


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(interpolation="lanczos", align="centers", threshold=0.0, top=5),
        Options(targets=("top2", "garbage truck", 0), threshold=0.9, top=1, digits=True),
        Options(exif_transpose=True),
    ],
)
def test_any_options(place, options, tmp_path):
    """Whatever was asked for, the report holds."""
    photos = [str(place / name) for name in ("two.jpg", "one.png")]
    report = make_report(tmp_path / "other.html", place / "narrow.h5", photos, options)
    assert check(report, place).differences == []


def test_names_do_not_matter(place, tmp_path):
    """Report, weights and photographs renamed and moved: found by their hashes; the other names are said."""
    shutil.copy(place / "honest.html", tmp_path / "renamed.html")
    shutil.copy(place / "narrow.h5", tmp_path / "other.h5")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    shutil.copy(place / "one.png", tmp_path / "deep" / "er" / "eins.png")
    shutil.copy(place / "two.jpg", tmp_path / "zwei.jpg")
    shutil.copy(place / "two.jpg", tmp_path / "one.png")  # of the right name, and another photograph
    verdict = recheck(tmp_path / "renamed.html", tmp_path / "other.h5", tmp_path / "deep")
    assert verdict.holds
    assert [note for note in verdict.notes if "is called" in note] == [
        "photo 1: the report calls it one.png; here it is called eins.png",
        "photo 2: the report calls it two.jpg; here it is called one.png",
    ]
    assert "the report calls the weights narrow.h5; here they are called other.h5" in verdict.notes


def test_another_encoder(place, tmp_path):
    """A picture that another library encoded, of pixels that it decoded a little otherwise, is the same."""
    rng = np.random.default_rng(0)

    def anew():
        for name in ("one.png", "two.jpg"):
            pixels = np.asarray(open_photo(place / name), int)
            noise = rng.integers(-1, 2, pixels.shape)
            yield jpeg(np.clip(pixels + noise, 0, 255).astype(np.uint8))

    made = list(anew())

    def change(data):
        for photo, picture in zip(data["photos"], made, strict=True):
            photo["picture"]["sha256"] = sha256_of(picture)

    report = forge(place / "honest.html", change, tmp_path / "other.html", lambda _: made)
    verdict = check(report, place)
    assert verdict.differences == []
    assert sum("encoded elsewhere" in note for note in verdict.notes) == 2


def jpeg(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **{"quality": QUALITY, "subsampling": 0} | options)
    return file.getvalue()


# Numbers altered by somebody who seals the data anew and writes npcam's page around them


def at(*path):
    """What sets the value at a place of a photograph's data by a function of the old one."""

    def change(function):
        def of_data(data):
            there = data["photos"][0]
            for key in path[:-1]:
                there = there[key]
            there[path[-1]] = function(there[path[-1]])

        return of_data

    return change


def fourth_digit(number):
    """The number with another fourth significant digit."""
    text = f"{number:.9e}"
    digit = str((int(text.lstrip("-")[4]) + 3) % 10)
    place = 4 + text.startswith("-")
    return float(f"{text[:place]}{digit}{text[place + 1 :]}")


def one_float(factor):
    """A text of base64 in which the largest number is another one."""

    def change(text):
        array = decode(text, (len(base64.b64decode(text)) // 4,))
        array[np.abs(array).argmax()] *= factor
        return encode(array)

    return change


def in_model(key, function):
    def of_data(data):
        data["model"][key] = function(data["model"][key])

    return of_data


def in_options(**values):
    def of_data(data):
        data["options"] |= values

    return of_data


def swapped(data):
    one, two = data["photos"][0]["classes"][:2]
    data["photos"][0]["classes"][:2] = [two, one]


def first_one(data):
    data["photos"][0]["target"] = data["photos"][0]["classes"][0]["index"]


def another_class(data):
    photo = data["photos"][0]
    shown = {one["index"] for one in photo["classes"]}
    one = next(one for one in photo["classes"] if one["index"] != photo["target"])
    one["index"] = min(set(range(5)) - shown)


FIRST = ("classes", 0)
ALTERED = {
    "probability": (at(*FIRST, "probability")(fourth_digit), "photo 1, probability of"),
    "logit": (at(*FIRST, "logit")(fourth_digit), "photo 1, logit of"),
    "logit within rounding": (at(*FIRST, "logit")(lambda z: z * (1 + 1e-8)), "photo 1, completeness of"),
    "bias": (at(*FIRST, "bias")(lambda b: b * (1 + 1e-7)), "photo 1, bias of"),
    "completeness": (at(*FIRST, "completeness")(fourth_digit), "photo 1, completeness of"),
    "evidence in the box": (at(*FIRST, "evidence_in_box")(lambda s: s - 1e-8), "photo 1, evidence in box of"),
    "evidence of a part": (
        at(*FIRST, "boxes", 0, "evidence")(lambda s: s - 1e-8),
        "photo 1, evidence in box 1",
    ),
    "scale": (at(*FIRST, "scale")(fourth_digit), "photo 1, scale of"),
    "a class's weights": (at(*FIRST, "weights")(one_float(1 + 1e-7)), "photo 1, weights of"),
    "weight of a map": (at(*FIRST, "maps", "largest", 3, "weight")(fourth_digit), "photo 1, weight of map"),
    "what a map adds": (at(*FIRST, "maps", "largest", 3, "adds")(fourth_digit), "photo 1, sum of map"),
    "share of a map": (at(*FIRST, "maps", "largest", 3, "share")(fourth_digit), "photo 1, share of map"),
    "a map's number": (at(*FIRST, "maps", "largest", 3, "k")(lambda k: k ^ 1), "photo 1, largest maps of"),
    "largest maps left out": (
        at(*FIRST, "maps", "largest")(lambda some: some[:-1]),
        "photo 1, largest maps of",
    ),
    "maps needed": (at(*FIRST, "maps", "needed", "90")(lambda n: n - 1), "photo 1, maps needed for 90 % of"),
    "a feature": (at("features", "float32")(one_float(1.01)), "photo 1, maps at"),
    "the largest feature": (at("features", "float32")(one_float(0)), "photo 1, maps at"),
    "a class's name": (at(*FIRST, "name")(lambda _: "dog"), "photo 1, name of"),
    "a class": (another_class, "photo 1, classes"),
    "a class that there is not": (at("classes", 1, "index")(lambda _: 5), "photo 1, classes"),
    "a class left out": (at("classes")(lambda some: [some[0], *some[2:]]), "photo 1, classes"),
    "classes in another order": (swapped, "photo 1, classes"),
    "the class explained first": (first_one, "photo 1, class explained first"),
    "a box": (at(*FIRST, "box")(lambda box: [*box[:3], box[3] - 1]), "photo 1, box of"),
    "no box": (at(*FIRST, "box")(lambda _: None), "photo 1, box of"),
    "a part's box": (at(*FIRST, "boxes", 0, "box", 0)(lambda x: x + 1), "photo 1, boxes of"),
    "a part left out": (at(*FIRST, "boxes")(lambda parts: parts[1:]), "photo 1, boxes of"),
    "everywhere": (at(*FIRST, "everywhere")(lambda yes: not yes), "photo 1, everywhere of"),
    "size": (at("size")(lambda size: size[::-1]), "photo 1, size"),
    "orientation": (at("exif_orientation")(lambda _: 6), "photo 1, exif orientation"),
    "hash of the input": (at("input_sha256")(lambda text: text[::-1]), "photo 1, input sha256"),
    "hash of the picture": (at("picture", "sha256")(lambda text: text[::-1]), "photo 1, picture, sha256"),
    "size of the picture": (at("picture", "width")(lambda n: n - 1), "photo 1, picture, width"),
    "deviation": (at("digits", "logit_deviation")(fourth_digit), "photo 1, digits, logit deviation"),
    "error": (at("digits", "logit_error")(fourth_digit), "photo 1, digits, logit error"),
    "significant": (at("digits", "significant")(lambda n: n + 1), "photo 1, digits, significant"),
    "margin": (at("digits", "margin")(fourth_digit), "photo 1, digits, margin"),
    "margin in deviations": (at("digits", "margin_deviations")(lambda _: None), "digits, margin deviations"),
    "second": (at("digits", "second_name")(lambda _: "dog"), "photo 1, digits, second name"),
    "may change": (
        at("digits", "class_may_change")(lambda yes: not yes),
        "photo 1, digits, class may change",
    ),
    "cells": (at("digits", "pixels_near")(lambda n: n + 1), "photo 1, digits, pixels near"),
    "no digits": (at("digits")(lambda _: None), "photo 1, digits"),
    "an audit": (at("audit")(lambda _: {"figures": []}), "photo 1, audit"),
    "notes": (in_model("notes", lambda _: []), "model, notes"),
    "assumptions": (in_model("assumptions", lambda _: []), "model, assumptions"),
    "findings": (in_model("findings", lambda _: []), "model, findings"),
    "preprocessing": (in_model("preprocessing", lambda text: f"{text} "), "model, preprocessing"),
    "network": (in_model("network", lambda text: text.replace("ResNet", "VGG")), "model, network"),
    "source": (in_model("source", lambda _: "resnet50.h5"), "model, source"),
    "source's hash": (in_model("source_sha256", lambda text: text[::-1]), "model, source sha256"),
    "tensors' hash": (in_model("tensors_sha256", lambda text: text[::-1]), "model, tensors sha256"),
    "converter": (in_model("converter", lambda _: "npcam 9"), "model, converter"),
    "activation": (in_model("activation", lambda _: "sigmoid"), "model, activation"),
    "classes": (in_model("classes", lambda n: n + 1), "model, classes"),
    "layer": (in_model("last_activation", lambda _: "conv5_block3_out"), "model, last activation"),
    "input": (in_model("input_size", lambda size: size[::-1]), "model, input size"),
    "threshold": (in_options(threshold=0.25), "photo 1, "),
    "interpolation": (in_options(interpolation="bilinear"), "photo 1, input sha256"),
    "alignment": (in_options(align="centers"), "photo 1, "),
    "top": (in_options(top=1), "photo 1, classes"),
    "targets": (in_options(targets=["cat"]), "photo 1, class explained first"),
    "targets forgotten": (in_options(targets=None), "photo 1, class explained first"),
    "digits forgotten": (in_options(digits=False), "photo 1, digits"),
    "audit announced": (in_options(audit=True), "photo 1, audit: none stated, one found"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_an_alteration_is_found(place, what, tmp_path):
    """The first difference that is named is the altered value, though seal and page are npcam's own."""
    change, named = ALTERED[what]
    report = forge(place / "honest.html", change, tmp_path / "forged.html")
    verdict = check(report, place)
    assert not verdict.holds
    assert named in str(verdict.differences[0])
    assert "the page" not in verdict.differences[-1].where
    assert "hash over all" not in verdict.differences[-1].where


def test_a_whole_story_made_up(place, tmp_path):
    """Maps one percent larger, and all that follows worked out anew: the maps are not the network's."""
    from npcam.explain import Pass
    from npcam.report.explained import explained

    model = load_model(place / "narrow.h5")

    def change(data):
        photo = data["photos"][0]
        shape = tuple(photo["features"]["shape"])
        features = (decode(photo["features"]["float32"], shape) * 1.01).astype(np.float32).astype(np.float64)
        z, p = np.zeros(5), np.zeros(5)
        for one in photo["classes"]:
            z[one["index"]] = (one["logit"] - one["bias"]) * 1.01 + one["bias"]
            p[one["index"]] = one["probability"]
        seen = Pass(model, open_photo(place / "one.png"), features, z, p)
        photo["features"]["float32"] = encode(features)
        photo["classes"] = explained(seen, [one["index"] for one in photo["classes"]])

    verdict = check(forge(place / "honest.html", change, tmp_path / "forged.html"), place)
    kinds = {re.sub(r"photo 1, (\w+).*", r"\1", str(one)) for one in verdict.differences}
    assert kinds == {"maps", "logit"}


def test_the_words_of_a_difference():
    """Both values with as many digits as tell them apart."""
    assert str(Difference("photo 2, logit of cat", 13.18, 13.21)) == (
        "photo 2, logit of cat: 13.18 stated, 13.21 found"
    )
    assert str(Difference("x", 1.00000001, 1.0)).startswith("x: 1.00000001 stated, 1 found")
    assert str(Difference("x", "a" * 200 + "b", "a" * 200 + "c")) == (
        f"x: ...{'a' * 20}b stated, ...{'a' * 20}c found"
    )
    assert str(Difference("x", None, 3)) == "x: none stated, 3 found"
    assert "\n" not in str(Difference("a\nb", "c\x1b", "d"))


def test_equal_and_near():
    """Numbers are equal across int and float, truth values are none; NaN is near nothing."""
    verdict = Verdict()
    assert verdict.same("", 1, 1.0)
    assert not verdict.same("", True, 1)
    verdict.near("", 1.0, 1.5, 0.5)
    verdict.near("", None, None, 0.0)
    assert len(verdict.differences) == 1
    verdict.near("", float("nan"), 1.0, 9.0)
    verdict.near("", None, 1.0, 9.0)
    assert (len(verdict.differences), verdict.compared) == (3, 6)


# Pictures


def pictures_altered(place, tmp_path, pictures):
    """A report whose pictures are others, with the right hashes."""

    def change(data):
        for photo, picture in zip(data["photos"], pictures, strict=True):
            photo["picture"]["sha256"] = sha256_of(picture)

    return check(forge(place / "honest.html", change, tmp_path / "forged.html", lambda _: pictures), place)


def painted(pixels):
    """A small square in another colour."""
    pixels = pixels.copy()
    pixels[20:26, 30:36] = 255 - pixels[20:26, 30:36]
    return pixels


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda pixels: jpeg(painted(pixels)), "picture, "),
        (lambda pixels: jpeg(pixels[:, ::-1].copy()), "picture, "),
        (lambda pixels: jpeg(np.full_like(pixels, 128)), "picture, "),
        (lambda pixels: jpeg(pixels[::-1].copy()), "picture, "),
        (lambda pixels: jpeg(pixels, quality=30), "picture, its quantisation"),
        (lambda pixels: jpeg(pixels, subsampling=2), "picture, its channels"),
        (lambda pixels: jpeg(pixels[:-1]), "picture, its own size"),
        (lambda pixels: jpeg(pixels)[:400], "none: "),
        (lambda _: b"no picture", "none: "),
        (lambda _: b"", "none: "),
    ],
)
def test_another_picture(place, tmp_path, make, named):
    """Painted over, mirrored, grey, coarser, cut, damaged: found, though its hash is the one stated."""
    honest = read_report(place / "honest.html").pictures
    made = make(np.asarray(Image.open(place / "one.png")))
    verdict = pictures_altered(place, tmp_path, [made, honest[1]])
    assert named in str(verdict.differences[0])
    assert verdict.differences[0].where.startswith("photo 1, picture")


def test_pictures_swapped(place, tmp_path):
    """Each photograph with the other one's picture."""
    verdict = pictures_altered(place, tmp_path, read_report(place / "honest.html").pictures[::-1])
    assert verdict.differences[0].where == "photo 1, picture, its own size"


# The page's own parts


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page.replace("</html>", "<script>alert(1)</script></html>"),
        lambda page: page.replace("<title>", "<title>Proof: "),
        lambda page: page.replace("<title>", "<!-- --><title>"),
        lambda page: page.replace("one.png", "two.png", 1),
        lambda page: page + "\n",
        lambda page: page.rstrip(),
        lambda page: page.replace("\n", "\r\n"),
    ],
)
def test_another_page_around_the_data(place, change, tmp_path):
    """Words, script, comments, line ends: the page is not the one that its data make."""
    report = edit(place / "honest.html", change, tmp_path / "edited.html")
    assert check(report, place).differences[-1].where.startswith("the page, ")


def test_data_written_otherwise(place, tmp_path):
    """The same data with other spaces between them are not npcam's text."""
    report = edit_data(place / "honest.html", with_data(lambda _: None), tmp_path / "edited.html")
    assert [one.where.split(",")[0] for one in check(report, place).differences] == [
        "the data's text",
        "the page",
    ]


def test_data_that_no_page_can_be_made_of(place, monkeypatch):
    """Whatever a template raises for a stranger's data is a difference, and no traceback."""

    def fails(*_):
        raise KeyError("title")

    monkeypatch.setattr(checks, "write_page", fails)
    assert "none can be made of the data (KeyError)" in str(
        check(place / "honest.html", place).differences[0]
    )


def test_the_seal(place, tmp_path):
    """A digit changed by an editor: the value is named first, and the hash over all data differs, too."""
    report = edit_data(
        place / "honest.html",
        lambda text: re.sub(r'("libjpeg":")[^"]*', r"\g<1>0.0", text),
        tmp_path / "edited.html",
    )
    assert check(report, place).differences[0].where == "hash over all data"


def test_what_is_not_looked_at_is_said(place, tmp_path):
    """Libraries and npcam of other versions are named; the page of another npcam is not compared."""

    def change(data):
        data["model"]["versions"]["numpy"] = "1.2.3"
        data["npcam"] = "0.0.9"

    report = forge(place / "honest.html", change, tmp_path / "older.html")
    report = edit(report, lambda page: page.replace("<title>", "<title>Older "), tmp_path / "o.html")
    verdict = check(report, place)
    assert verdict.holds
    assert any("numpy 1.2.3, here" in note for note in verdict.notes)
    assert any("words, style and script, which npcam 0.0.9 wrote" in note for note in verdict.notes)


# What cannot be checked


def test_another_decoder(place, tmp_path, monkeypatch):
    """Other pixels from the same file: with another Pillow nothing can be said, with the same it is false."""

    def change(data):
        data["photos"][1]["input_sha256"] = "0" * 64

    report = forge(place / "honest.html", change, tmp_path / "other.html")
    assert str(check(report, place).differences[0]).startswith("photo 2, input sha256: 000")
    here = bundles.versions()
    for module in (compare, checks):
        monkeypatch.setattr(module, "versions", lambda: {**here, "libjpeg": "0.1"})
    with pytest.raises(InputError, match=r"cannot be checked: photo 2: .*libjpeg 0\.1 \(there"):
        check(report, place)


def test_a_photograph_that_is_not_there(place, tmp_path):
    """None beside the report; one of the name that is another; both are said, and no folder is none."""
    shutil.copy(place / "honest.html", tmp_path / "honest.html")
    with pytest.raises(InputError, match=r"cannot be checked: photo 1, one\.png \(SHA-256 .*--photos"):
        recheck(tmp_path / "honest.html", place / "narrow.h5")
    Image.new("RGB", (9, 9)).save(tmp_path / "one.png")
    with pytest.raises(InputError, match=r"photo 1, one\.png: the file of that name has the SHA-256"):
        recheck(tmp_path / "honest.html", place / "narrow.h5")
    with pytest.raises(InputError, match="no such folder"):
        recheck(tmp_path / "honest.html", place / "narrow.h5", tmp_path / "nowhere")


def test_other_weights(place, tmp_path):
    """Weights of another hash, given or not found: it cannot be checked."""
    other = make_weights(tmp_path / "other.h5", seed=1)
    with pytest.raises(InputError, match=r"cannot be checked with .*other\.h5"):
        recheck(place / "honest.html", other, place)
    with pytest.raises(InputError, match=r"its weights \(narrow\.h5, SHA-256 .* give them with --weights"):
        recheck(place / "honest.html", None, place)

    def change(data):
        data["model"]["weights_sha256"] = "0" * 64

    with pytest.raises(InputError, match="cannot be checked"):
        check(forge(place / "honest.html", change, tmp_path / "forged.html"), place)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"interpolation": "cubic"}, "interpolation"),
        ({"threshold": 1.5}, "threshold"),
        ({"align": "middle"}, "align"),
        ({"targets": ["horse"]}, "no such class"),
        ({"top": 0}, "top"),
    ],
)
def test_options_that_are_none(place, options, named, tmp_path):
    """Options that npcam does not have cannot be checked; one line says which."""
    report = forge(place / "honest.html", in_options(**options), tmp_path / "forged.html")
    with pytest.raises(InputError, match=f"cannot be checked: its options: {named}|{named}"):
        check(report, place)


# Where rounding leaves the order of classes open


def test_classes_that_rounding_may_put_the_other_way_round(place):
    """Two classes as likely as rounding can tell may stand in either order; others may not."""
    model = load_model(place / "narrow.h5")
    pixels = load_image(place / "one.png", (40, 56))
    true = exact(model, pixels)
    photo = open_photo(place / "one.png")
    first, second, *_ = [int(i) for i in np.argsort(-true.probabilities)]
    options = Options(top=2)

    def stated(*classes):
        return {"target": classes[0], "classes": [{"index": i} for i in classes]}

    assert expected_classes(model, photo, true, stated(second, first), options) == (first, [first, second])
    true.logits[second] = true.logits[first] - true.of_logits[first]
    true.probabilities[second] = true.probabilities[first] * (1 - 1e-7)
    assert expected_classes(model, photo, true, stated(second, first), options) == (second, [second, first])
    assert expected_classes(model, photo, true, stated(first, first), options) == (first, [first, second])


def test_the_network_in_float64_is_the_network(place):
    """`exact` gives what the reference engine gives in float64, and bounds of float32's size."""
    model = load_model(place / "narrow.h5")
    pixels = load_image(place / "two.jpg", (40, 56))
    true = exact(model, pixels)
    other = load_model(place / "narrow.h5", np.float64, engine="reference")
    out = other.run(other.preprocess(pixels[None]).astype(np.float64), [other.last_activation])
    np.testing.assert_allclose(
        true.features, out.activations[other.last_activation][0], rtol=1e-10, atol=1e-10
    )
    np.testing.assert_allclose(true.logits, out.logits[0], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(true.probabilities, out.probabilities[0], rtol=1e-10, atol=1e-12)
    size = np.abs(true.logits).max() + 1
    assert (true.of_logits < 1e-3 * size).all()
    assert (true.of_logits > 2.0**-24 * np.abs(true.logits)).all()
    assert NAMES[int(np.argmax(true.logits))]
    assert Path(place).is_dir()
