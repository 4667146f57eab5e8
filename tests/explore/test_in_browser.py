"""The page in a browser: photographs dropped in, pixels clicked, blocks left out; the numbers are npcam's."""

import base64
import io
import re

import numpy as np
import pytest
from helpers.browser import opened, running, violations
from helpers.left_out import left_out
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from npcam.cli import main
from npcam.explore.page import write_explorer
from npcam.images.photos import open_photo
from npcam.images.preprocess import load_image, to_input
from npcam.labels import as_written
from npcam.model import load_model

pytestmark = pytest.mark.slow
READY = re.compile("^All layers in [0-9]+ ms")
WAIT = 60_000  # milliseconds, for machines that are busy


@pytest.fixture(scope="module")
def browser():
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def chelsea(tmp_path_factory):
    """The bundled model, its page with a photograph, the photograph, every activation in float64."""
    from pathlib import Path

    photo = Path(__file__).parents[2] / "examples" / "chelsea.png"
    path = tmp_path_factory.mktemp("page") / "explore.html"
    model = load_model(engine="reference")
    write_explorer(path, model, photo, name="photos14")
    pixels = load_image(photo, model.photo_size)
    x = model.preprocess(pixels[None])
    return model, path, photo, left_out(model, x, [])


def ready(page):
    """Wait until a photograph went through the network."""
    from playwright.sync_api import expect

    expect(page.locator("#status")).to_have_text(READY, timeout=WAIT)
    expect(page.locator("#terms .result").first).to_be_visible(timeout=WAIT)


def eventually(page, look, wanted, tries=600):
    """Ask until the page shows what is wanted; what it shows in the end."""
    for _ in range(tries):
        found = look()
        if found == wanted:
            break
        page.wait_for_timeout(50)
    return found


def probabilities(page, count):
    """What the page holds of each class, in their order."""
    return np.array([page.evaluate(f"state.results.shown.probabilities[{k}]") for k in range(count)])


def dropped(page, name, data):
    """Drag a file in and let it go; wait until the network has run."""
    page.evaluate("say('')")
    handle = page.evaluate_handle(
        """([name, text]) => {
          const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
          const carried = new DataTransfer();
          carried.items.add(new File([bytes], name));
          return carried;
        }""",
        [name, base64.b64encode(data).decode()],
    )
    page.dispatch_event("#drop", "dragover", {"dataTransfer": handle})
    page.dispatch_event("#drop", "drop", {"dataTransfer": handle})


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def made_up(height, width, seed=0):
    """Pixels of every brightness, with edges."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def with_gamma(image):
    """A PNG that asks for another gamma, and has a colour profile that turns it green."""
    info = PngInfo()
    info.add(b"gAMA", (100_000).to_bytes(4, "big"))
    return saved(image, "PNG", pnginfo=info)


EXIF = Image.Exif()
EXIF[0x0112] = 6
FILES = {
    "plain.png": saved(Image.fromarray(made_up(300, 451)), "PNG"),
    "same size.png": saved(Image.fromarray(made_up(224, 224, 1)), "PNG"),
    "one pixel.png": saved(Image.fromarray(made_up(1, 1, 2)), "PNG"),
    "wide.png": saved(Image.fromarray(made_up(13, 3001, 3)), "PNG"),
    "tall.png": saved(Image.fromarray(made_up(2999, 11, 4)), "PNG"),
    "grey.png": saved(Image.fromarray(made_up(97, 101, 5)).convert("L"), "PNG"),
    "palette.png": saved(Image.fromarray(made_up(97, 101, 6)).quantize(17), "PNG"),
    "gamma.png": with_gamma(Image.fromarray(made_up(97, 101, 7))),
    "turned.png": saved(Image.fromarray(made_up(60, 80, 8)), "PNG", exif=EXIF),
    "turned.webp": saved(Image.fromarray(made_up(60, 80, 13)), "WEBP", lossless=True, exif=EXIF),
    "lossless.webp": saved(Image.fromarray(made_up(60, 80, 9)), "WEBP", lossless=True),
    "plain.bmp": saved(Image.fromarray(made_up(61, 81, 10)), "BMP"),
    "still.gif": saved(Image.fromarray(made_up(61, 81, 11)).quantize(200), "GIF"),
}


def test_lossless_photographs_give_npcams_pixels_and_probabilities(browser, bundled):
    """Each file dropped in: pixels bit for bit, probabilities to 1e-5, name and size as they are."""
    model, path = bundled
    with opened(browser, path) as page:
        from playwright.sync_api import expect

        expect(page.locator("#status")).to_have_text("Ready: drop a photograph in.", timeout=WAIT)
        assert not page.locator("#inside").is_visible()
        for name, data in FILES.items():
            dropped(page, name, data)
            ready(page)
            image = open_photo(io.BytesIO(data))
            wanted = to_input(image, model.photo_size)
            found = np.array(page.evaluate("Array.from(state.pixels)"), np.uint8).reshape(wanted.shape)
            np.testing.assert_array_equal(found, wanted, err_msg=name)
            exact = model.predict(model.preprocess(wanted[None]))[0]
            assert np.abs(probabilities(page, 14) - exact).max() < 1e-5, name
            assert page.inner_text("#photo-name") == f"{name}, {image.width}\u00d7{image.height} pixels"


def test_a_jpeg_is_off_by_steps_of_its_decoder_only(browser, bundled, tmp_path):
    """Chosen, not dropped: pixels within a few steps of libjpeg's, so probabilities nearly npcam's."""
    model, path = bundled
    picture = Image.fromarray(made_up(30, 40, 12)).resize((400, 300), Image.Resampling.BICUBIC)
    picture.save(tmp_path / "photo.jpg", quality=90, exif=EXIF)
    with opened(browser, path) as page:
        page.set_input_files("#file", tmp_path / "photo.jpg")
        ready(page)
        wanted = load_image(tmp_path / "photo.jpg", model.photo_size)
        found = np.array(page.evaluate("Array.from(state.pixels)"), np.int64).reshape(wanted.shape)
        assert np.abs(found - wanted).max() <= 4
        exact = model.predict(model.preprocess(found.astype(np.uint8)[None]))[0]
        assert np.abs(probabilities(page, 14) - exact).max() < 1e-5


def test_what_is_no_photograph_is_said_to_be_none(browser, bundled):
    """One line; the page goes on. Transparent places and 16 bits a channel are told of."""
    with opened(browser, bundled[1]) as page:
        from playwright.sync_api import expect

        status = page.locator("#status")
        expect(status).to_have_text(re.compile("^Ready"), timeout=WAIT)
        dropped(page, "a.txt", b"no photograph")
        expect(status).to_have_text(re.compile("^a.txt: is no photograph that this browser can read"))
        rgba = Image.fromarray(np.dstack([made_up(20, 20), np.full((20, 20), 128, np.uint8)]))
        dropped(page, "clear.png", saved(rgba, "PNG"))
        expect(status).to_have_text(re.compile("transparent places"), timeout=WAIT)
        deep = Image.fromarray(np.arange(900, dtype=np.uint16).reshape(30, 30) * 70)
        dropped(page, "deep.png", saved(deep, "PNG"))
        expect(status).to_have_text(re.compile("16 bits a channel"), timeout=WAIT)
        dropped(page, "plain.png", FILES["plain.png"])
        ready(page)
        expect(status).not_to_have_text(re.compile("transparent|16 bits"))


def test_a_browser_that_guards_its_canvas_is_told_of(browser, bundled):
    """Where what is read is not what was drawn, the page says that the numbers are of other pixels."""
    with opened(browser, bundled[1]) as page:
        from playwright.sync_api import expect

        status = page.locator("#status")
        expect(status).to_have_text(re.compile("^Ready"), timeout=WAIT)
        page.evaluate(
            """() => {
              const own = CanvasRenderingContext2D.prototype.getImageData;
              CanvasRenderingContext2D.prototype.getImageData = function (...place) {
                const picture = own.apply(this, place);
                picture.data[0] ^= 1;
                return picture;
              };
            }"""
        )
        dropped(page, "plain.png", FILES["plain.png"])
        expect(status).to_have_text(re.compile("as a guard: the numbers are of other pixels"), timeout=WAIT)


def test_the_last_of_several_photographs_and_layers_counts(browser, bundled):
    """Files dropped and layers opened faster than they are computed: the page ends with the last."""
    model, path = bundled
    with opened(browser, path) as page:
        from playwright.sync_api import expect

        expect(page.locator("#status")).to_have_text(re.compile("^Ready"), timeout=WAIT)
        for name in ("wide.png", "grey.png", "plain.png"):
            dropped(page, name, FILES[name])
        ready(page)
        names = [
            "avg_pool",
            "conv5_block3_out",
            "conv1_conv",
            "predictions",
            "conv4_block1_0_bn",
            "conv1_pad",
        ]
        page.evaluate("(names) => { for (const name of names) openLayer(name); drawNumber(); }", names)
        assert eventually(page, lambda: "conv1_pad" in page.inner_text("#h-maps"), True)
        assert eventually(page, lambda: "conv1_pad" in page.inner_text("#h-number"), True)
        assert eventually(page, page.locator("#terms .name").first.inner_text, "conv1_pad") == "conv1_pad"
        title = "plain.png, 451\u00d7300 pixels"
        assert eventually(page, lambda: page.inner_text("#photo-name"), title) == title
        wanted = to_input(open_photo(io.BytesIO(FILES["plain.png"])), model.photo_size)
        assert page.evaluate("Array.from(state.pixels)") == wanted.ravel().tolist()


def shown_number(page, step=0):
    """The number at the end of a step, as text."""
    return page.locator("#terms .step").nth(step).locator(".result strong").inner_text()


def test_a_map_and_a_pixel_clicked(browser, chelsea):
    """Window, kernel, products and sum as NumPy has them, digit for digit; then batch norm and relu."""
    model, path, _, exact = chelsea
    with opened(browser, path) as page:
        ready(page)
        page.click('#strip button[data-group="conv3_block2"]')
        page.click('#diagram button[data-layer="conv3_block2_2_conv"]')
        eventually(page, lambda: page.inner_text("#h-maps"), "The 32 maps of conv3_block2_2_conv, 28\u00d728")
        page.click('#grid button[data-channel="7"]')
        eventually(page, lambda: "channel 7" in page.inner_text("#h-number"), True)
        page.locator("#pictures .own .frame").scroll_into_view_if_needed()
        box = page.locator("#pictures .own .frame canvas").bounding_box()
        page.mouse.click(box["x"] + box["width"] * 9.5 / 28, box["y"] + box["height"] * 12.5 / 28)
        title = "One number: conv3_block2_2_conv, channel 7, row 12, column 9"
        assert eventually(page, lambda: page.inner_text("#h-number"), title) == title

        x = exact["conv3_block2_1_relu"][0].astype(np.float32)
        weights = model.weights.tensors["conv3_block2_2_conv"]
        window, kernel = x[11:14, 8:11].astype(np.float64), weights["kernel"][..., 7].astype(np.float64)
        share = (window * kernel).sum(axis=(0, 1))
        step = page.locator("#terms .step").first
        source = int(re.search(r"Channel (\d+) of conv3_block2_1_relu", step.inner_text())[1])
        assert source == np.abs(share).argmax()
        cells = [float(text) for text in step.locator(".matrix td").all_inner_texts()]
        windows, kernels, products = np.reshape(cells, (3, 3, 3))
        np.testing.assert_allclose(windows, window[..., source], rtol=0, atol=2e-5 * window.max())
        np.testing.assert_array_equal(kernels.astype(np.float32), kernel[..., source].astype(np.float32))
        np.testing.assert_allclose(
            products, windows.astype(np.float32).astype(np.float64) * kernel[..., source], rtol=1e-15
        )

        step.get_by_role("button", name="All 32").click()
        rows = step.locator(".listing tbody tr").all_inner_texts()
        shares = {int(row.split("\t")[0]): float(row.split("\t")[1]) for row in rows}
        assert sorted(shares) == list(range(32))
        order = [abs(share) for share in shares.values()]
        assert order == sorted(order, reverse=True)
        np.testing.assert_allclose([shares[k] for k in range(32)], share, rtol=0, atol=1e-4)
        y = np.float32(sum(shares.values()) + float(weights["bias"][7]))
        assert abs(float(shown_number(page)) - y) <= 1e-6 * max(1, abs(y))

        norm = model.weights.tensors["conv3_block2_2_bn"]
        said = page.locator("#terms .step").nth(1).inner_text()
        for name, array in norm.items():
            assert np.float32(re.search(rf"{name}\n(\S+)", said)[1]) == array[7]
        conv = float(shown_number(page))
        scale = norm["gamma"][7] / np.sqrt(np.float64(norm["moving_variance"][7]) + 1.001e-5)
        by_hand = (conv - np.float64(norm["moving_mean"][7])) * scale + norm["beta"][7]
        assert abs(float(shown_number(page, 1)) - by_hand) <= 1e-6 * max(1, abs(by_hand))
        assert float(shown_number(page, 2)) == max(0, float(shown_number(page, 1)))
        for step, layer in enumerate(("conv3_block2_2_conv", "conv3_block2_2_bn", "conv3_block2_2_relu")):
            wanted = exact[layer][0, 12, 9, 7]
            assert abs(float(shown_number(page, step)) - wanted) < 2e-5 * np.abs(exact[layer]).max()

        other = next(k for k in shares if k != source)
        step = page.locator("#terms .step").first
        step.get_by_role("button", name=str(other), exact=True).click()
        asked = f"Channel {other} of conv3_block2_1_relu"
        assert eventually(page, lambda: asked in page.locator("#terms .step").first.inner_text(), True)


def test_two_maps_and_their_sum(browser, chelsea):
    """The residual sum: both maps and theirs on one scale, and three numbers of which two make the third."""
    _, path, _, exact = chelsea
    with opened(browser, path) as page:
        ready(page)
        page.click('#try button[data-try="sum"]')
        title = "One number: conv5_block3_add, channel 0, row 5, column 5"
        assert eventually(page, lambda: page.inner_text("#h-number"), title) == title
        assert page.locator("#pictures canvas").count() == 3
        assert page.locator("#pictures .sign").all_inner_texts() == ["+", "="]
        terms = page.locator("#terms .step").first.locator("dd").all_inner_texts()
        x, z = float(terms[0]), float(terms[1])
        assert np.float32(shown_number(page)) == np.float32(x + z)
        for name, value in (("conv5_block2_out", x), ("conv5_block3_3_bn", z)):
            assert abs(value - exact[name][0, 5, 5, 0]) < 2e-5 * np.abs(exact[name]).max()


@pytest.mark.parametrize("name", ["conv4_block3", "conv2_block1_1_bn", "conv5_block3_out:40"])
def test_switches(browser, chelsea, name):
    """A block, a batch norm, a channel off: npcam's probabilities without it; on again, those from before."""
    model, path, photo, exact = chelsea
    with opened(browser, path) as page:
        ready(page)
        before = probabilities(page, 14)
        assert np.abs(before - exact["predictions"][0]).max() < 1e-5
        block = re.match(r"conv\d_block\d", name)[0]
        page.click(f'#strip button[data-group="{block}"]')
        if name == block:
            page.get_by_role("switch", name=f"the branch of {block}").click()
        elif ":" in name:
            layer, channel = name.split(":")
            eventually(page, lambda: layer in page.inner_text("#h-maps"), True)
            page.click(f'#grid button[data-channel="{channel}"]')
            page.get_by_role("switch", name=f"channel {channel} of {layer}").click()
        else:
            page.click(f'#diagram button[data-layer="{name}"]')
            page.get_by_role("switch", name=name, exact=True).click()
        page.locator("#bar").wait_for(timeout=WAIT)
        eventually(page, lambda: page.inner_text("#status").startswith("cat"), True)
        x = model.preprocess(load_image(photo, model.photo_size)[None])
        wanted = left_out(model, x, [name])["predictions"][0]
        assert np.abs(wanted - before).max() > 1e-6
        assert np.abs(probabilities(page, 14) - wanted).max() < 1e-5
        assert page.locator("#classes .was").count() == 14
        assert "was 99.6%" in page.inner_text("#status")
        page.get_by_role("button", name="All on").click()
        page.locator("#bar").wait_for(state="hidden", timeout=WAIT)
        np.testing.assert_array_equal(probabilities(page, 14), before)


def test_the_evidence_grows_to_the_logit(browser, chelsea):
    """With all maps the mean plus the bias is the logit; with some, NumPy's sum of those that add most."""
    model, path, _, exact = chelsea
    with opened(browser, path) as page:
        ready(page)
        weights, bias = model.class_weights(1)
        gains = weights.astype(np.float64) * exact["avg_pool"][0]
        order = np.argsort(-np.abs(gains), kind="stable")
        for count in (1, 7, 512, 0):
            page.evaluate(f"$('count').value = {count}; $('count').dispatchEvent(new Event('input'))")
            words = page.inner_text("#count-words")
            shown, whole = re.match(
                rf"{count} of 512: mean \+ bias = (\S+); .* logit, (\S+)$", words
            ).groups()
            assert abs(float(shown) - (bias + gains[order[:count]].sum())) < 2e-3 * abs(float(shown))
            assert abs(float(whole) - (bias + gains.sum())) < 1e-4
        page.get_by_role("button", name=as_written("dog")).click()
        eventually(page, lambda: "dog" in page.inner_text("#evidence-words"), True)
        logit = exact["avg_pool"][0] @ model.class_weights(5)[0] + model.class_weights(5)[1]
        whole = float(page.inner_text("#count-words").split()[-1])
        assert abs(whole - logit) < 1e-4


def test_the_saved_record_passes_verify(browser, chelsea, tmp_path):
    """What the button saves is judged by `npcam verify` as it stands: status 0; the page has the command."""
    _, path, photo, _ = chelsea
    with opened(browser, path) as page:
        ready(page)
        assert "177 layers, none further off" in page.inner_text("#checked")
        assert page.inner_text("#command") == "npcam verify PHOTO --against page.npz"
        with page.expect_download(timeout=WAIT) as waiting:
            page.get_by_role("button", name="Save the numbers").click()
        waiting.value.save_as(tmp_path / "page.npz")
    assert main(["verify", str(photo), "--against", str(tmp_path / "page.npz"), "--quiet"]) == 0


def test_by_keyboard_alone(browser, chelsea):
    """Tab reaches each group once; arrows, Home, End and Enter do the rest, and the number is spoken."""
    _, path, _, exact = chelsea
    with opened(browser, path) as page:
        ready(page)
        focused = "document.activeElement"
        page.focus("#own-scale")
        page.keyboard.press("Shift+Tab")  # into the diagram, on the layer that is chosen
        assert page.evaluate(f"{focused}.dataset.layer") == "conv1_conv"
        page.keyboard.press("Shift+Tab")
        assert page.evaluate(f"{focused}.dataset.group") == "conv1"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        title = "The 64 maps of conv2_block1_out, 56\u00d756"
        assert eventually(page, lambda: page.inner_text("#h-maps"), title) == title
        page.keyboard.press("End")
        assert page.evaluate(f"{focused}.dataset.group") == "top"
        page.focus("#own-scale")
        page.keyboard.press("Tab")
        assert page.evaluate(f"{focused}.dataset.channel") == "0"
        for key, channel in (
            ("ArrowRight", "1"),
            ("End", "63"),
            ("ArrowLeft", "62"),
            ("Home", "0"),
            ("ArrowRight", "1"),
        ):
            page.keyboard.press(key)
            assert page.evaluate(f"{focused}.dataset.channel") == channel
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        assert page.evaluate(f"{focused}.dataset.channel") == "1"
        page.keyboard.press("Enter")
        eventually(page, lambda: "channel 1" in page.inner_text("#h-number"), True)
        page.focus("#pictures .own .frame")
        row, column = map(int, re.search(r"row (\d+), column (\d+)", page.inner_text("#h-number")).groups())
        page.keyboard.press("ArrowDown")
        place = f"row {row + 1}, column {column}"
        assert eventually(page, lambda: place in page.inner_text("#h-number"), True)
        eventually(page, lambda: place in page.evaluate(f"{focused}.ariaLabel ?? ''"), True)
        page.keyboard.press("Shift+ArrowRight")
        place = f"row {row + 1}, column {column + 8}"
        assert eventually(page, lambda: place in page.inner_text("#h-number"), True)
        page.get_by_role("switch", name="channel 1 of conv2_block1_out").focus()
        page.keyboard.press("Space")
        eventually(page, lambda: page.inner_text("#status").startswith("cat"), True)
        kept = f"{focused}.dataset.switch"
        assert eventually(page, lambda: page.evaluate(kept), "conv2_block1_out:1") == "conv2_block1_out:1"
        assert not page.evaluate(f"{focused}.checked")
        page.get_by_role("button", name="All on").focus()
        page.keyboard.press("Enter")
        group = "conv2_block1"
        assert eventually(page, lambda: page.evaluate(f"{focused}.dataset.group"), group) == group
        value = float(page.inner_text("#spoken").split(": ")[1].rstrip(";"))
        wanted = exact["conv2_block1_out"][0, row + 1, column + 8, 1]
        assert abs(value - wanted) < 1e-4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_that_axe_finds_hard_to_use(browser, chelsea, scheme):
    """Names, roles, contrast, in both schemes, with something switched off."""
    with opened(browser, chelsea[1], color_scheme=scheme, bypass_csp=True) as page:
        ready(page)
        page.click('#try button[data-try="block"]')
        page.locator("#bar").wait_for(timeout=WAIT)
        eventually(page, lambda: page.inner_text("#status").startswith("cat"), True)
        assert violations(page) == {}


@pytest.mark.parametrize("size", [(320, 640), (768, 1024), (1920, 1080)])
def test_nothing_hangs_over_the_edge(browser, chelsea, size):
    """From a telephone to a projector the page is as wide as its window; wide tables scroll by themselves."""
    with opened(browser, chelsea[1], size) as page:
        ready(page)
        for layer in ("conv1_conv", "conv5_block1_add", "predictions", "conv5_block1_3_conv"):
            page.evaluate(f"openLayer('{layer}')")
            assert eventually(page, lambda name=layer: name in page.inner_text("#h-number"), True)
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_maps_are_drawn_when_they_come_into_view(browser, chelsea):
    """Of 512 maps those far below wait; scrolled to, they are drawn."""
    with opened(browser, chelsea[1]) as page:
        ready(page)
        page.evaluate("openLayer('conv5_block3_out')")
        eventually(page, lambda: page.locator("#grid button").count(), 512)
        page.locator("#h-maps").scroll_into_view_if_needed()
        drawn = "[...document.querySelectorAll('#grid canvas')].filter((one) => one.width === 14).length"
        eventually(page, lambda: page.evaluate(drawn) > 0, True)
        page.wait_for_timeout(300)
        assert 0 < page.evaluate(drawn) < 400
        page.locator('#grid button[data-channel="511"]').scroll_into_view_if_needed()
        width = "document.querySelector('#grid button[data-channel=\"511\"] canvas').width"
        assert eventually(page, lambda: page.evaluate(width), 14) == 14


def test_another_network_runs_in_its_page(browser, other):
    """Random weights, other strides, odd sizes, a sigmoid: the page opens, with npcam's values."""
    model, path, pixels = other
    with opened(browser, path) as page:
        ready(page)
        assert not page.locator("#checked").is_visible()
        x = model.preprocess(to_input(open_photo(pixels), model.photo_size)[None])
        assert np.abs(probabilities(page, 7) - model.predict(x)[0]).max() < 1e-5
        for layer in ("input_layer", "conv1_pad", "pool1_pool", "avg_pool", "predictions"):
            page.evaluate(f"openLayer('{layer}')")
            assert eventually(page, lambda name=layer: name in page.inner_text("#h-number"), True)
            eventually(page, page.locator("#terms .name").first.inner_text, layer)
            assert page.locator("#terms .result").count() == 1
