"""A report's data: against loops over the same maps, and against npcam.explain."""

import hashlib
import io
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from helpers.forged import NAMES, NOTES, make_parts, make_photographs, make_report, make_weights
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import npcam
from npcam.common.errors import InputError
from npcam.images.preprocess import load_image
from npcam.model import Model, load_model
from npcam.report.canonical import canonical, decode, encode, encoded_length, seal, sealed
from npcam.report.explained import Options, needed
from npcam.report.photograph import OTHER_DECODER, bounds, farthest, small_photograph
from npcam.report.shape import check_shape
from npcam.weights import read_weights, write_weights
from npcam.weights.random import random_weights


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with weights and two photographs; the data of their report, and its pictures."""
    folder = tmp_path_factory.mktemp("made")
    weights, photos = make_weights(folder / "narrow.h5"), make_photographs(folder)
    data, pictures = make_parts(weights, photos)
    return folder, weights, photos, data, pictures


def arrays(photo):
    """The maps of a photograph, (h, w, K), and each class's weights, in float64."""
    shape = tuple(photo["features"]["shape"])
    maps = decode(photo["features"]["float32"], shape).astype(np.float64)
    return maps, [decode(one["weights"], shape[2:]).astype(np.float64) for one in photo["classes"]]


def test_the_same_run_gives_the_same_bytes(made, tmp_path):
    """Page and data are the same byte by byte, and hold neither a path nor an absolute place."""
    folder, weights, photos, _, _ = made
    pages = [make_report(tmp_path / name, weights, photos).read_bytes() for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]
    assert str(folder).encode() not in pages[0]


def test_what_is_said_of_photographs_and_network(made):
    """Names, sizes, hashes and notes, against the files themselves; all keys are those of the format."""
    _, weights, photos, data, pictures = made
    check_shape(data, "report")
    assert [photo["photo"] for photo in data["photos"]] == ["one.png", "two.jpg"]
    for photo, path, picture in zip(data["photos"], photos, pictures, strict=True):
        with open(path, "rb") as file:  # noqa: PTH123
            assert photo["photo_sha256"] == hashlib.sha256(file.read()).hexdigest()
        with Image.open(path) as image:
            assert photo["size"] == list(image.size)
        pixels = load_image(path, (40, 56))
        assert photo["input_sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()
        assert photo["picture"]["sha256"] == hashlib.sha256(picture).hexdigest()
        shown = Image.open(io.BytesIO(picture))
        assert [shown.format, *shown.size] == ["JPEG", photo["picture"]["width"], photo["picture"]["height"]]
    model = data["model"]
    assert model["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (model["notes"], model["classes"], model["map"][2]) == (list(NOTES), 5, 128 // 4)
    assert "preprocessing caffe" in model["assumptions"][0]
    assert [one["kind"] for one in model["findings"]] == ["values"]


def test_numbers_are_those_of_explain(made):
    """Logit, probability, boxes, scale and evidence as npcam.explain has them, to float32's rounding."""
    _, weights, photos, data, _ = made
    model = load_model(weights, threads=1)
    for photo, path in zip(data["photos"], photos, strict=True):
        best = npcam.explain(model, path)
        top = [one.index for one in best.top(3)]
        crow = NAMES.index("crow")
        assert photo["target"] == crow
        assert [one["index"] for one in photo["classes"]] == list(dict.fromkeys([*top, crow]))
        found = npcam.explain(model, path, targets=[one["index"] for one in photo["classes"]])
        for one, e in zip(photo["classes"], found, strict=True):
            assert one["name"] == NAMES[one["index"]]
            assert one["logit"] == pytest.approx(e.logit, rel=1e-5, abs=1e-5)
            assert one["probability"] == pytest.approx(e.probability, rel=1e-4)
            assert one["box"] == (e.box and list(e.box))
            assert one["everywhere"] == e.everywhere
            assert one["evidence_in_box"] == pytest.approx(e.evidence_in_box, abs=1e-4)
            assert one["scale"] == pytest.approx(e.scale, rel=1e-4)
            assert [tuple(part["box"]) for part in one["boxes"]] == [part.box for part in e.boxes]


def test_what_a_logit_is_made_of(made):
    """Completeness, sums, shares and counts, against exact fractions over the report's maps and weights."""
    _, _, _, data, _ = made
    for photo in data["photos"]:
        maps, weights = arrays(photo)
        cells = [[Fraction(float(f)) for f in maps[i, j]] for i, j in np.ndindex(*maps.shape[:2])]
        means = [sum(cell[k] for cell in cells) / len(cells) for k in range(maps.shape[2])]
        for one, w in zip(photo["classes"], weights, strict=True):
            adds = [Fraction(float(v)) * mean for v, mean in zip(w, means, strict=True)]
            logit, bias = Fraction(one["logit"]), Fraction(one["bias"])
            assert one["completeness"] == pytest.approx(float(sum(adds) + bias - logit), abs=1e-13)
            order = sorted(range(len(adds)), key=lambda k: (-abs(adds[k]), k))
            assert [best["k"] for best in one["maps"]["largest"]] == order[:12]
            for best in one["maps"]["largest"]:
                assert best["weight"] == w[best["k"]]
                assert best["adds"] == pytest.approx(float(adds[best["k"]]), rel=1e-12)
                assert best["share"] == pytest.approx(float(adds[best["k"]] / (logit - bias)), rel=1e-12)
            for share in (50, 90, 99):
                sums = [sum(adds[k] for k in order[:n]) for n in range(1, len(adds) + 1)]
                room = Fraction(100 - share, 100) * abs(logit - bias)
                within = [abs(total - (logit - bias)) <= room for total in sums]
                expected = next((n + 1 for n in range(len(sums)) if all(within[n:])), None)
                assert one["maps"]["needed"][str(share)] == expected


def test_the_whole_sum_is_never_enough():
    """Where all maps together stay outside the share, there is no such number; a total of 0 has no shares."""
    assert needed(np.array([1.0, 1.0]), 4.0, 50) == 2
    assert needed(np.array([1.0, 1.0]), 4.1, 50) is None
    assert needed(np.array([5.0, 0.0]), 5.0, 99) == 1
    assert needed(np.array([1.0, 1.0]), 4.1, 50, slack=0.1) == 2
    assert needed(np.array([1.0, 1.0]), 4.0, 50, slack=-0.1) is None


def test_options_and_threads_change_what_they_should(made):
    """Options stand in the data and change it; two threads change rounding alone; top counts classes."""
    _, weights, photos, data, _ = made
    options = Options(top=2, interpolation="bilinear", align="centers", threshold=0.5)
    plain, _ = make_parts(weights, photos, options)
    assert plain["options"] == {
        "interpolation": "bilinear",
        "exif_transpose": False,
        "align": "centers",
        "threshold": 0.5,
        "targets": None,
        "top": 2,
        "digits": False,
        "audit": False,
    }
    for photo, other in zip(plain["photos"], data["photos"], strict=True):
        assert len(photo["classes"]) == 2
        assert photo["target"] == photo["classes"][0]["index"]
        assert photo["digits"] is None
        assert photo["input_sha256"] != other["input_sha256"]
    two, _ = make_parts(weights, photos, threads=2)
    assert two["model"] == data["model"]
    for photo, other in zip(two["photos"], data["photos"], strict=True):
        np.testing.assert_allclose(arrays(photo)[0], arrays(other)[0], rtol=1e-4, atol=1e-5)


def test_a_photograph_on_its_side(made, tmp_path):
    """EXIF's turn is in the data where it was not made, and gone where it was; so is the size."""
    _, weights, _, _, _ = made
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40), (200, 10, 10)).save(tmp_path / "side.jpg", exif=exif, comment=b"a secret")
    side = str(tmp_path / "side.jpg")
    lying, pictures = make_parts(weights, [side], Options())
    upright, _ = make_parts(weights, [side], Options(exif_transpose=True))
    assert (lying["photos"][0]["exif_orientation"], lying["photos"][0]["size"]) == (6, [60, 40])
    assert (upright["photos"][0]["exif_orientation"], upright["photos"][0]["size"]) == (None, [40, 60])
    assert not Image.open(io.BytesIO(pictures[0])).getexif()
    assert b"secret" not in pictures[0]


def test_canonical_text(made):
    """ASCII, sorted keys, a line a photograph, no tag in it, and JSON that gives the same data back."""
    *_, data, _ = made
    text = canonical(data)
    assert json.loads(text) == data
    assert text.isascii()
    assert "<" not in text
    assert len(text.split("\n")) == len(data["photos"]) + 2
    for line in text.split("\n")[1:3]:
        photo = json.loads(line.rstrip(","))
        plain = json.dumps(photo, sort_keys=True, separators=(",", ":"))
        assert plain.replace("<", "\\u003c") == line.rstrip(",")
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"photos": [float("nan")]})


def test_the_seal_is_over_all_else(made):
    """It is the SHA-256 of the text without it, and any change makes another."""
    *_, data, _ = made
    without = {key: value for key, value in data.items() if key != "sha256"}
    assert data["sha256"] == hashlib.sha256(canonical(without).encode()).hexdigest() == seal(data)
    assert sealed({**without, "npcam": "0"})["sha256"] != data["sha256"]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=9))
def test_arrays_as_text(numbers):
    """float32 numbers come back bit by bit; the length is known before, and another one is refused."""
    array = np.array(numbers, np.float32)
    text = encode(array)
    assert len(text) == encoded_length(len(numbers))
    assert decode(text, array.shape).tobytes() == array.tobytes()
    with pytest.raises(ValueError, match="letters"):
        decode(text, (len(numbers) + 3,))


@pytest.mark.parametrize(("text", "count"), [("AAA?", 0), ("AA=A", 0), ("AACAPwAA", 1), ("AAC*Pw==", 1)])
def test_texts_that_are_no_arrays(text, count):
    """Letters that base64 has not, and too many bytes."""
    with pytest.raises(ValueError, match=r"letters|base64|bytes|padding"):
        decode(text, (count,))


def test_a_large_photograph_is_shown_small():
    """Its longer side has 1,024 pixels; a small one keeps its size."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 1500, 3)).astype(np.uint8)
    data, size = small_photograph(Image.fromarray(noise))
    assert size == Image.open(io.BytesIO(data)).size == (1024, 204)
    assert small_photograph(Image.new("RGB", (5, 7)))[1] == (5, 7)


def test_what_quantising_may_do():
    """Saving keeps each block within the bound, noise too, which is hardest; the bound is not far above."""
    rng = np.random.default_rng(0)
    for pixels in (
        rng.integers(0, 256, (64, 80, 3)),
        rng.choice([0, 255], (61, 83, 3)),
        np.full((9, 9, 3), [255, 0, 0]),
    ):
        photo = pixels.astype(np.uint8)
        data, _ = small_photograph(Image.fromarray(photo))
        image = Image.open(io.BytesIO(data))
        apart = farthest(np.asarray(image), photo)
        allowed = bounds(image.quantization)
        assert (apart <= allowed).all()
        assert (allowed - OTHER_DECODER < 15).all()
    noisy = farthest(np.asarray(Image.open(io.BytesIO(small_photograph(Image.fromarray(photo))[0]))), photo)
    assert (noisy < allowed).all()


def test_a_block_apart():
    """Against a loop over blocks of 8x8; those that the edge cuts count as if the rest were alike."""
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 256, (2, 19, 25, 3))
    worst = np.zeros(3)
    for y in range(0, 19, 8):
        for x in range(0, 25, 8):
            block = (one[y : y + 8, x : x + 8] - other[y : y + 8, x : x + 8]).astype(float)
            worst = np.maximum(worst, np.sqrt((block**2).sum(axis=(0, 1)) / 64))
    np.testing.assert_allclose(farthest(one, other), worst)


def test_a_linear_top_and_no_names(tmp_path):
    """Values that are no probabilities stand as they are; a class without a name is called by its index."""
    weights = make_weights(tmp_path / "narrow.h5")
    known = read_weights(weights)
    linear = replace(known, architecture=replace(known.architecture, activation="linear"), class_names=None)
    write_weights(tmp_path / "linear.h5", linear)
    data, _ = make_parts(tmp_path / "linear.h5", make_photographs(tmp_path)[:1], Options(top=5))
    assert data["model"]["activation"] == "linear"
    for one in data["photos"][0]["classes"]:
        assert one["probability"] == one["logit"]
        assert one["name"] == str(one["index"])


def test_a_class_that_is_none(made):
    """An unknown class is refused in one line."""
    _, weights, photos, _, _ = made
    with pytest.raises(InputError, match="no such class"):
        load_model(weights).class_indices(["horse"])
    assert photos


@pytest.mark.slow
def test_the_full_size_network_stays_small():
    """One photograph of noise, with 2,048 maps of 7x7 and 1,000 classes, takes below 3 MB."""
    from npcam.explain import look
    from npcam.images.photos import open_photo
    from npcam.report.bundle import photo_data
    from npcam.stream.batches import Seen

    model = Model(random_weights(), threads=1)
    small = np.random.default_rng(0).integers(0, 256, (100, 128, 3)).astype(np.uint8)
    photo = Image.fromarray(small).resize((1600, 1200), Image.Resampling.BICUBIC)
    (seen,) = look(model, [open_photo(photo)])
    part = photo_data(Seen(0, "noise.jpg", "0" * 64, seen), Options())
    assert part.data["features"]["shape"] == [7, 7, 2048]
    size = len(canonical({"photos": [part.data]})) + len(part.picture) * 4 / 3
    assert 700_000 < size < 2_500_000
