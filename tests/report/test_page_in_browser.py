"""The page of a report in a browser: its maps against NumPy's, and all that can be done in it.

The page has the same float32 numbers as NumPy, and both sum in float64: what the order of the sums may make
of it is far less than 1e-12 of the largest value. npcam's own maps are sums in float32, and the promise is
1e-6 of the largest value.
"""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from helpers import reported
from helpers.browser import opened, violations
from helpers.needs import needs
from PIL import Image

from npcam import load_model, upsample_map
from npcam.cam import bounding_box, class_activation_map, connected_parts, scale_box
from npcam.pictures.overlay import Scale
from npcam.report.page import write_page

needs("jinja2")
EXAMPLES = Path(__file__).parents[2] / "examples"
SIZES = [((1280, 800), "light"), ((800, 1000), "light"), ((390, 844), "light"), ((1280, 800), "dark")]
TINT = """() => { const canvas = document.querySelector(".tint"), copy = canvas.cloneNode();
  const context = copy.getContext("2d", { willReadFrequently: true }); // else the console has a warning
  context.drawImage(canvas, 0, 0);
  return JSON.stringify([...context.getImageData(0, 0, copy.width, copy.height).data]); }"""


def ready(page):
    """Once the maps are drawn."""
    page.wait_for_function("document.documentElement.dataset.ready === 'true'")
    return page


def ask(page, words, *arguments):
    """What a function of `window.npcam.photos[0]` gives, for example of "value" and 3, 4."""
    script = f"(a) => JSON.stringify(window.npcam.photos[0].{words}(...a) ?? null)"
    return json.loads(page.evaluate(script, list(arguments)))


def tint(page):
    """The tint's pixels, (height, width, 4): red, green, blue, opacity."""
    height, width = page.evaluate("(c => [c.height, c.width])(document.querySelector('.tint'))")
    return np.array(json.loads(page.evaluate(TINT))).reshape(height, width, 4)


def state(page, i):
    """Map, heat map, logit and box of a photograph, as the page has them; text is quicker than a list."""
    parts = ", ".join(f"npcam.photos[{i}].{name}()" for name in ("map", "heatmap", "logit", "box"))
    return json.loads(page.evaluate(f"() => JSON.stringify([{parts}])"))


def near(found, expected, share=1e-12):
    """Equal up to a share of the largest value."""
    expected = np.asarray(expected, np.float64)
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * max(1e-300, np.abs(expected).max()))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two photographs through the bundled network: their page, and their explanations."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    bundle, pictures, explained = reported.of_photographs(
        load_model(), [EXAMPLES / "chelsea.png", EXAMPLES / "rocket.jpg"]
    )
    write_page(file, bundle, pictures)
    return file, explained


@pytest.fixture(scope="module", params=["corners", "centers"])
def made_up(request, tmp_path_factory):
    """A page of random maps, the bundle, and features, weights and biases in float64."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    bundle, pictures, (features, weights, biases) = reported.made_up(request.param)
    write_page(file, bundle, pictures)
    return file, bundle, features.astype(float), weights.astype(float), biases


@pytest.fixture(scope="module")
def simple(tmp_path_factory):
    """A page of random maps."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    bundle, pictures, _ = reported.made_up()
    bundle["photos"][0]["audit"] = {
        "figures": [
            {
                "key": "deletion",
                "title": "Deletion",
                "sentence": "The less, the better.",
                "paper": "Petsiuk et al. 2018",
                "value": 0.25,
                "low": 0.2,
                "high": 0.375,
                "interval": "from one baseline to the other",
                "picture": {"mime": "image/jpeg", "base64": base64.b64encode(pictures[0]).decode()},
            }
        ],
        "numbers": {"deletion": 0.25},
        "card": [{"group": "Methodology", "attribute": "Determinism", "answer": "Yes."}],
        "notes": ["no true box"],
    }
    bundle["photos"][0]["digits"] = {
        "significant": 4,
        "logit_error": 1e-4,
        "second": None,
        "margin": None,
        "margin_deviations": None,
        "class_may_change": False,
        "box_may_move": True,
        "cells": 24,
        "cells_near": 1,
    }
    write_page(file, bundle, pictures)
    return file


def test_maps_of_photographs_are_npcams(browser, photographs):
    """For every class of both photographs: the sum, the map upsampled and the logit are npcam's to 1e-6."""
    file, explained = photographs
    with opened(browser, file) as page:
        ready(page)
        for i, e in enumerate(explained):
            for index, *_ in e.top(5):
                of_class = e.seen.explain(index)
                page.evaluate(f"(c) => npcam.photos[{i}].select(c)", index)
                cam, heatmap, logit, _ = state(page, i)
                near(cam, of_class.cam.ravel(), 1e-6)
                near(heatmap, of_class.heatmap.ravel(), 1e-6)
                assert logit == pytest.approx(of_class.logit, rel=1e-6, abs=2e-6)


def test_the_difference_of_photographs_is_npcams(browser, photographs):
    """A second class, chosen in the list: M_c - M_d, the difference of the logits, and the box around it."""
    file, explained = photographs
    e = explained[1]
    best, second = e.top(2)
    versus = e.versus(second.index)
    with opened(browser, file) as page:
        article = ready(page).locator("#photo-1")
        article.get_by_label("Why not another class?").select_option(str(second.index))
        found = state(page, 1)
        near(found[0], versus.cam.ravel(), 1e-6)
        near(found[1], versus.heatmap.ravel(), 1e-6)
        assert found[2] == pytest.approx(versus.logit, rel=1e-6, abs=2e-6)
        assert tuple(found[3]) == versus.box
        caption = article.locator(".caption").inner_text()
        assert caption.startswith(f"{best.name}, not {second.name}".replace("_", " "))
        assert f"+{versus.logit:.2f}" in caption


def test_maps_of_made_up_numbers(browser, made_up):
    """Both alignments, nothing square: the sum, its terms, the upsampling and the difference are NumPy's."""
    file, bundle, features, weights, biases = made_up
    align, photo = bundle["options"]["align"], bundle["photos"][0]
    with opened(browser, file) as page:
        ready(page)
        for i, one in enumerate(photo["classes"]):
            cam = class_activation_map(features, weights[:, i])
            ask(page, "select", one["index"])
            near(ask(page, "map"), cam.ravel())
            near(ask(page, "heatmap"), upsample_map(cam, (36, 64), align).ravel())
            assert ask(page, "logit") == pytest.approx(cam.mean() + biases[i], rel=1e-12)
            listed = ask(page, "largest")
            assert [term["k"] for term in listed] == [term["k"] for term in one["maps"]["largest"]]
            for key in ("weight", "adds", "share"):
                near([t[key] for t in listed], [t[key] for t in one["maps"]["largest"]], 1e-11)
            assert ask(page, "needed") == [*one["maps"]["needed"].values()]
            assert ask(page, "boxes") == [
                {"box": [*part["box"]], "evidence": part["evidence"]} for part in one["boxes"]
            ]
        ask(page, "against", photo["classes"][0]["index"])
        cam = class_activation_map(features, weights[:, 2] - weights[:, 0])
        near(ask(page, "map"), cam.ravel(), 1e-11)
        assert ask(page, "logit") == pytest.approx(cam.mean() + biases[2] - biases[0], rel=1e-11)


def test_maps_taken_off_and_added(browser, made_up):
    """The checkboxes: sum, logit and boxes follow, as NumPy has them; the rest is one checkbox."""
    file, bundle, features, weights, biases = made_up
    align, w = bundle["options"]["align"], weights[:, 0]
    order = np.argsort(-np.abs(features.mean(axis=(0, 1)) * w), kind="stable")
    kept = np.ones(len(w), bool)

    def check(page):
        cam = class_activation_map(features, np.where(kept, w, 0))
        near(ask(page, "map"), cam.ravel(), 1e-11)
        heatmap = upsample_map(cam, (36, 64), align)
        expected = [scale_box(part.box, (36, 64), (61, 97)) for part in connected_parts(heatmap)]
        assert [tuple(part["box"]) for part in ask(page, "boxes")] == expected
        box = bounding_box(heatmap)
        assert ask(page, "box") == (None if box is None else [*scale_box(box, (36, 64), (61, 97))])
        logit = cam.mean() + biases[0]
        assert ask(page, "logit") == pytest.approx(logit, rel=1e-11)
        words = page.locator(".equation").inner_text().replace("\u2212", "-")
        assert words.startswith(f"mean of the map {cam.mean():.4f} + bias {biases[0]:.4f} = {logit:.4f}")

    with opened(browser, file) as page:
        ready(page)
        boxes = page.locator(".maps input")
        assert boxes.count() == 12
        for n in (0, 3, 11):
            boxes.nth(n).click()
            kept[order[n]] = False
            check(page)
        assert "37 of 40 maps" in page.locator(".caption").inner_text()
        rest = page.locator('[name="rest"]')
        rest.click()
        kept[order[12:]] = False
        check(page)
        boxes.nth(3).click()
        kept[order[3]] = True
        check(page)
        rest.click()
        kept[order[12:]] = True
        check(page)
        page.locator('[name="take"]').fill("15")
        kept[:] = False
        kept[order[:15]] = True
        check(page)
        assert rest.evaluate("(box) => [box.checked, box.indeterminate]") == [False, True]
        assert page.locator(".take output").inner_text() == "15"


@pytest.mark.parametrize("signed", [False, True])
def test_the_tint_is_npcams(browser, made_up, signed):
    """Colour and opacity of every pixel are those of npcam's pictures, the index one off at most."""
    file, bundle, features, weights, _ = made_up
    cam = class_activation_map(features, weights[:, 0])
    largest = bundle["photos"][0]["classes"][0]["scale"]
    scale = Scale(
        max(largest, np.abs(cam).max()) if signed else largest, signed, alpha=0.8 if signed else 0.7
    )
    indices = scale.indices(upsample_map(cam, (36, 64), bundle["options"]["align"]))
    expected = np.asarray(Image.fromarray(indices).resize((97, 61), Image.Resampling.BILINEAR)).astype(int)
    with opened(browser, file) as page:
        ready(page).locator('[name="boxes"]').select_option("none")
        if signed:
            page.get_by_label("with what speaks against").check()
        found = tint(page)
    assert found.shape == (61, 97, 4)
    # Where the opacity is 0 a canvas keeps no colour, and else keeps it in so many steps as the opacity has.
    colours, opacities = scale.colours().astype(int), scale.opacities().astype(int)
    best = np.full((61, 97), np.inf)
    for off in (-1, 0, 1):
        index = np.clip(expected + off, 0, 255)
        of_alpha = np.abs(found[..., 3] - opacities[index])
        of_colour = np.abs(found[..., :3] - colours[index]).max(axis=2) * opacities[index] / 255
        best = np.minimum(best, np.maximum(of_alpha, of_colour))
    assert best.max() <= 1
    assert np.unique(expected).size > 50


def test_slider_and_colours(browser, simple):
    """The slider makes the tint as opaque as it says; other colours are others, and signed has its own."""
    with opened(browser, simple) as page:
        ready(page).locator('[name="boxes"]').select_option("none")
        opacity, colours = page.locator('[name="opacity"]'), page.locator('[name="colours"]')
        seen = {}
        for value in ("0", "35", "100"):
            opacity.fill(value)
            seen[value] = int(tint(page)[..., 3].max())
        assert seen["0"] == 0
        assert seen["100"] > 200
        assert abs(seen["35"] - 0.35 * seen["100"]) <= 1
        pictures = []
        for name in ("ember", "viridis", "grey"):
            colours.select_option(name)
            pictures.append(tint(page).tolist())
        assert pictures[0] != pictures[1] != pictures[2]
        page.get_by_label("with what speaks against").check()
        assert colours.locator("option").all_inner_texts() == ["blue-vermilion", "magenta-green"]
        assert opacity.input_value() == "80"
        assert page.locator(".ticks span").first.inner_text().startswith("\u2212")
        page.get_by_label("with what speaks against").uncheck()
        assert colours.input_value() == "ember"


def test_a_click_draws_that_class(browser, simple):
    """Its button is the one that is pressed, and map, words and listed maps are its own."""
    with opened(browser, simple) as page:
        ready(page)
        first = ask(page, "map"), [one["k"] for one in ask(page, "largest")]
        page.get_by_role("button", name="garbage truck").click()
        second = ask(page, "map"), [one["k"] for one in ask(page, "largest")]
        assert first[0] != second[0]
        assert first[1] != second[1]
        pressed = page.locator('.class[aria-pressed="true"]').all_inner_texts()
        assert pressed == ["garbage truck"]
        assert page.locator(".caption").inner_text().startswith("garbage truck")
        shown = page.locator(".maps [data-k]").evaluate_all(
            "(all) => all.map((box) => Number(box.dataset.k))"
        )
        assert shown == second[1]


def test_the_pointer_reads_the_map(browser, simple):
    """Under the mouse, and by the keys: a number of the map itself, per cell; Home finds its maximum."""
    with opened(browser, simple) as page:
        frame = ready(page).locator(".frame")
        area = frame.bounding_box()
        page.mouse.move(area["x"] + area["width"] / 4, area["y"] + area["height"] / 2)
        words = page.locator(".read").inner_text()
        assert words.startswith("x 24, y 30: ")
        heatmap = np.array(ask(page, "heatmap")).reshape(36, 64)
        stretched = Image.fromarray(heatmap.astype(np.float32)).resize((97, 61), Image.Resampling.BILINEAR)
        value = ask(page, "value", 24.5, 30.5)
        assert value == pytest.approx(np.asarray(stretched)[30, 24], rel=1e-5, abs=1e-5)
        page.mouse.move(0, 0)
        assert words != page.locator(".read").inner_text()
        frame.focus()
        page.keyboard.press("Home")
        found = page.locator(".read").inner_text()
        per_cell = float(found.split(": ")[1].split(" per cell")[0].replace("\u2212", "-"))
        assert per_cell == pytest.approx(heatmap.max() / 24, rel=1e-3)
        page.keyboard.press("Shift+ArrowRight")
        assert found != page.locator(".read").inner_text()
        page.keyboard.press("Escape")
        assert not page.locator(".cross").is_visible()


def test_by_keyboard_alone(browser, simple):
    """Tab reaches the map, every control, every class and every listed map; keys work them."""
    with opened(browser, simple) as page:
        ready(page)
        reached = []
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate(
                    "(e => e.className || e.name || e.dataset.k || e.tagName)(document.activeElement)"
                )
            )
            name = page.evaluate("document.activeElement.name || document.activeElement.dataset.class || ''")
            if name == "opacity":
                page.keyboard.press("ArrowLeft")
                assert page.locator('[name="opacity"]').input_value() == "69"
            elif name == "signed":
                page.keyboard.press("Space")
            elif name == "4":
                page.keyboard.press("Enter")
                assert page.locator('.class[aria-pressed="true"]').all_inner_texts() == ["dog"]
            elif name == "rest":
                page.keyboard.press("Space")
                break
        assert {"frame", "opacity", "colours", "boxes", "signed", "class", "against", "take"} <= set(reached)
        assert sum(what in ("frame", "class") for what in reached) == 4
        assert page.locator('[name="signed"]').is_checked()
        assert "12 of 40 maps" in page.locator(".caption").inner_text()
        assert page.locator(".maps [data-k]").count() == 12


@pytest.mark.parametrize(("size", "scheme"), SIZES)
def test_sizes_and_schemes(browser, photographs, size, scheme):
    """The page is as wide as the window, all of the map is seen, dark is dark, axe-core finds nothing."""
    with opened(browser, photographs[0], size, color_scheme=scheme, bypass_csp=True) as page:
        ready(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        frame = page.locator("#photo-0 .frame").bounding_box()
        assert frame["x"] >= 0
        assert frame["x"] + frame["width"] <= size[0]
        assert frame["height"] < 0.7 * size[1]
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
        page.locator("#photo-0 .numbers summary").click()
        page.locator("#photo-0 [name=against]").select_option(index=2)
        assert violations(page) == {}


def test_all_that_may_be_there(browser, simple):
    """With an audit's figures, and the digits, too; "not causal" stands there, and axe-core finds nothing."""
    with opened(browser, simple, bypass_csp=True) as page:
        ready(page)
        audit = page.locator(".audit").inner_text()
        for words in (
            "Not proof, not causal",
            "Deletion",
            "0.25",
            "0.2 to 0.375, from one baseline",
            "Petsiuk et al. 2018",
        ):
            assert words in audit
        assert page.locator(".answers").inner_text().split() == ["Methodology", "Determinism", "Yes."]
        assert "no true box" in audit
        assert page.locator(".digits li").count() == 3
        assert violations(page) == {}


def test_print(browser, simple):
    """On paper the map is there, and nothing to click; the ground is white, whatever the screen's is."""
    with opened(browser, simple, color_scheme="dark") as page:
        ready(page)
        page.emulate_media(media="print")
        assert page.locator(".tint").is_visible()
        for gone in (".controls", ".against", ".maps input >> nth=0", ".take label", "nav"):
            assert not page.locator(gone).is_visible(), gone
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator(".maps canvas").count() == 12
        assert len(page.pdf()) > 10_000


def test_what_the_page_may_not_do(browser, simple):
    """Its policy lets nothing out: a script that asked for something would be refused."""
    context = browser.new_context()
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(simple.as_uri())
    refused = "(u) => fetch(u).then(() => 'fetched', (error) => String(error))"
    assert "Failed to fetch" in page.evaluate(refused, "http://127.0.0.1:9/")
    assert all(url.startswith(("file:", "data:")) for url in asked)
    context.close()


def test_without_a_script(browser, simple):
    """Photograph and numbers are there, the page says what is missing, and nothing is offered in vain."""
    with opened(browser, simple, java_script_enabled=False) as page:
        assert "shows photographs and numbers, and no maps" in page.locator("main").inner_text()
        assert page.locator("img[data-photo]").is_visible()
        assert page.locator(".maps li").count() == 12
        assert "% of the sum" in page.locator(".maps li").first.inner_text()
        for gone in (".controls", ".against", ".take", ".rest", ".numbers"):
            assert not page.locator(gone).is_visible(), gone


def test_names_stay_names(browser, tmp_path):
    """Whatever a class or a photograph is called is shown as that, by the template and by the script."""
    names = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "{{ 7 * 7 }}")
    bundle, pictures, _ = reported.made_up(names=names)
    bundle["photos"][0]["photo"] = "<b>&amp;.jpg"
    write_page(tmp_path / "report.html", bundle, pictures)
    with opened(browser, tmp_path / "report.html") as page:
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        ready(page)
        for button in page.locator(".class").all():
            button.click()
        assert page.locator(".class").all_inner_texts() == [*names]
        page.locator('[name="against"]').select_option("1")
        assert names[0] in page.locator(".caption").inner_text()
        assert page.locator("h1").inner_text() == "<b>&amp;.jpg"


def test_a_picture_that_is_none(browser, tmp_path):
    """The maps are drawn all the same."""
    bundle, _, (features, weights, _) = reported.made_up()
    write_page(tmp_path / "report.html", bundle, [b"no JPEG"])
    with opened(browser, tmp_path / "report.html") as page:
        ready(page)
        near(
            ask(page, "map"),
            class_activation_map(features.astype(float), weights[:, 0].astype(float)).ravel(),
        )
        assert tint(page)[..., 3].max() > 100
        assert page.locator(".maps canvas").count() == 12


def test_where_nothing_speaks_for_a_class(browser, tmp_path):
    """A map without anything positive has no box and no tint, and the page says so."""
    rng = np.random.default_rng(1)
    features = np.maximum(rng.normal(size=(3, 3, 8)), 0).astype(np.float32)
    weights = -np.abs(rng.normal(size=(8, 2))).astype(np.float32)
    picture = Image.new("RGB", (40, 30))
    classes = {0: ("a", weights[:, 0], 0.5), 1: ("b", weights[:, 1], 0.0)}
    one = reported.photo("dark.png", picture, features, classes, (24, 24))
    write_page(tmp_path / "report.html", reported.report([one], (24, 24)), [reported.jpeg(picture)])
    with opened(browser, tmp_path / "report.html") as page:
        ready(page)
        assert "nothing speaks for it" in page.locator(".caption").inner_text()
        assert tint(page).max() == 0
        ask(page, "take", 0)
        assert ask(page, "logit") == pytest.approx(0.5)
        assert ask(page, "boxes") == []
