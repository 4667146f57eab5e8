"""Photographs in batches: each result is `npcam.explain`'s, whoever shares its batch and however it ends."""

import hashlib
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from helpers.networks import small_file
from helpers.pictures import picture
from PIL import Image

import npcam
from npcam import InputError
from npcam.stream import batches
from npcam.stream.batches import BATCH, Batches, Failed, Reading, cut
from npcam.stream.pool import in_order

EPS = float(np.finfo(np.float32).eps)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights, `w.h5`, and twenty photographs of all shapes and several formats: 0.png, 1.jpg, ..."""
    folder = tmp_path_factory.mktemp("photographs")
    small_file(folder / "w.h5")
    rng = np.random.default_rng(3)
    for number in range(20):
        size = (int(rng.integers(1, 90)), int(rng.integers(1, 90)), 3)
        image = Image.fromarray(rng.integers(0, 256, size).astype(np.uint8))
        exif = Image.Exif()
        exif[0x0112] = 1 + number % 8
        image.save(folder / f"{number}.{('png', 'jpg', 'webp')[number % 3]}", exif=exif)
    return folder


@pytest.fixture(autouse=True)
def there(folder, monkeypatch):
    """The tests run in that folder."""
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def model(folder):
    """The network, on one thread as beside other batches."""
    return npcam.load_model(folder / "w.h5", threads=1)


PHOTOS = tuple(f"{number}.{('png', 'jpg', 'webp')[number % 3]}" for number in range(20))


def as_it_is(seen):
    """What is to be done with a photograph that was seen: nothing."""
    return seen


def run(model, photos=PHOTOS, reading=None, finish=as_it_is, workers=1):
    """All batches of a list."""
    work = Batches(model, photos, reading or Reading(), finish)
    return [one for found in in_order(work, cut(len(photos)), workers, work.stop) for one in found]


def assert_same(model, found, e):
    """An explanation is that of another pass over the same photograph, up to rounding.

    Each of the two programs' last activation is within 64 units of eps times its largest value of the exact
    one (tests/engine/test_engine.py), so they are within 128 of each other. The map of a class sums K of them
    with its weights, which hands that on times the sum of the weights' absolute values, and rounds K times
    more; the logit is its mean over h w positions and a bias. Softmax turns a change of all logits by d into
    one of at most d / 2.
    """
    weights, bias = model.class_weights(e.target)
    channels, positions = len(weights), e.cam.size
    largest = float(np.abs(e.seen.features).max()) * float(np.abs(weights).sum())
    assert found.target == e.target
    assert found.cam.dtype == np.float32
    of_map = EPS * (128 + channels) * largest
    assert np.abs(found.cam - e.cam).max() <= of_map
    of_logit = of_map + EPS * positions * (largest + abs(bias))
    assert abs(found.logit - e.logit) <= of_logit
    assert np.abs(found.probabilities - e.probabilities).max() <= of_logit / 2 + 4 * EPS
    assert np.array_equal(np.asarray(found.photo), np.asarray(e.photo))
    assert (found.notes, found.threshold) == (e.notes, e.threshold)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, []),
        (1, [1]),
        (2, [1, 1]),
        (9, [1, 8]),
        (10, [1, 8, 1]),
        (17, [1, 8, 8]),
        (1177, [1, *[8] * 147]),
    ],
)
def test_the_cut(count, expected):
    """One photograph first, so that its result is soon there, then batches of eight; each in one of them."""
    found = cut(count)
    assert [len(batch) for batch in found] == expected
    assert [number for batch in found for number in batch] == list(range(count))
    assert BATCH == 8


@pytest.mark.parametrize(
    "reading",
    [
        Reading(),
        Reading(interpolation="bilinear", threshold=0.6),
        Reading(exif_transpose=True, align="centers"),
    ],
)
def test_each_is_what_explain_gives(model, reading):
    """In its order, with the hash of its file, and read as it is asked for."""
    found = run(model, reading=reading, workers=2)
    options = {name: getattr(reading, name) for name in Reading.__dataclass_fields__}
    assert [(one.number, one.path) for one in found] == list(enumerate(PHOTOS))
    for one, path in zip(found, PHOTOS, strict=True):
        assert one.sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
        assert_same(model, one.seen.explain(), npcam.explain(model, path, **options))
    for target in (1, 3):
        assert_same(model, found[5].seen.explain(target), npcam.explain(model, PHOTOS[5], target, **options))


def numbers(one):
    """The bits of a result."""
    return one.seen.features.tobytes(), one.seen.logits.tobytes(), one.seen.probabilities.tobytes()


def test_a_photograph_alone_is_exactly_explains(model):
    """The first batch is of one: there is no rounding between the two."""
    e = npcam.explain(model, PHOTOS[0])
    for photos in (PHOTOS[:1], PHOTOS):
        assert numbers(run(model, photos)[0]) == numbers(batches.Seen(0, "", "", e.seen))


def test_the_same_bits_for_any_number_of_workers(model):
    """Who shares a batch depends on the list alone."""
    expected = [numbers(one) for one in run(model)]
    for workers in (1, 2, 3, 8):
        assert [numbers(one) for one in run(model, workers=workers)] == expected


def test_bad_ones_among_good_ones(model):
    """Each says what `npcam.explain` says of it, in its place; all others are as without it."""
    Path("bad.jpg").write_text("no photograph")
    Path("half.png").write_bytes(Path(PHOTOS[0]).read_bytes()[:-50])
    Path("empty.png").write_bytes(b"")
    photos = [*PHOTOS[:3], "bad.jpg", *PHOTOS[3:5], "gone.jpg", "half.png", "empty.png", ".", *PHOTOS[5:]]
    found = run(model, photos, workers=2)
    assert [(one.number, one.path) for one in found] == list(enumerate(photos))
    for one in found:
        if one.path in PHOTOS:
            assert_same(model, one.seen.explain(), npcam.explain(model, one.path))
        else:
            with pytest.raises(InputError) as caught:
                npcam.explain(model, one.path)
            assert isinstance(one, Failed)
            assert one.message == str(caught.value)
            assert one.message.startswith(f"{one.path}: ")
    assert all(isinstance(one, Failed) for one in run(model, ["gone.jpg"] * 12))


def test_not_enough_memory_for_one(model, monkeypatch):
    """A batch that fails is run one by one, so that the one which is too much is named."""
    too_much, look = npcam.images.photos.open_photo(PHOTOS[4]), batches.look
    tried = []

    def small_machine(model, photos, *options):
        tried.append(len(photos))
        if any(np.array_equal(np.asarray(photo), np.asarray(too_much)) for photo in photos):
            raise MemoryError
        return look(model, photos, *options)

    with monkeypatch.context() as patched:
        patched.setattr(batches, "look", small_machine)
        found = run(model, PHOTOS[:9])
    assert tried == [1, 8, *[1] * 8]
    assert found[4] == Failed(4, PHOTOS[4], f"{PHOTOS[4]}: not enough memory")
    for one in found[:4] + found[5:]:
        assert_same(model, one.seen.explain(), npcam.explain(model, one.path))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InputError("1_cam.png: is there"), "1_cam.png: is there"),
        (MemoryError(), f"{PHOTOS[1]}: not enough memory"),
        (OSError(28, "No space left"), f"{PHOTOS[1]}: No space left"),
        (OSError("odd"), f"{PHOTOS[1]}: odd"),
    ],
)
def test_one_that_cannot_be_finished(model, error, said):
    """Nor decoded: it is named, and stops no other one."""

    def finish(seen):
        if seen.number == 1:
            raise error
        return seen.number

    assert run(model, PHOTOS[:4], finish=finish) == [0, Failed(1, PHOTOS[1], said), 2, 3]


def test_a_bug_is_raised(model):
    """What is nobody's input is no reason that a photograph has."""

    def finish(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(model, finish=finish, workers=2)


def test_large_photographs_share_no_batch(model, monkeypatch):
    """Together they have no more pixels than the limit; one that has more is alone, and holds the lock."""
    sizes = {"a": (10, 10), "b": (10, 9), "c": (30, 10), "d": (10, 10), "e": (10, 10), "f": (40, 10)}
    photos = []
    for name, size in sizes.items():
        photos.append(f"large_{name}.png")
        picture(size=size).save(photos[-1])
    together, look, locked = [], batches.look, []

    def watched(model, images, *options):
        together.append([image.size for image in images])
        locked.append(batches._large_ones.locked())
        return look(model, images, *options)

    with monkeypatch.context() as patched:
        patched.setattr(batches, "look", watched)
        patched.setattr(batches, "LARGE", 200)
        found = Batches(model, photos, Reading(), as_it_is)(range(len(photos)))
    assert together == [[sizes["a"], sizes["b"]], [sizes["c"]], [sizes["d"], sizes["e"]], [sizes["f"]]]
    assert locked == [False, True, False, True]
    assert not batches._large_ones.locked()
    assert [one.path for one in found] == photos
    for one in found:
        assert_same(model, one.seen.explain(), npcam.explain(model, one.path))


def test_two_large_ones_are_never_there_together(model, monkeypatch):
    """However many threads there are; one that fails does not keep the others waiting."""
    inside, most, look, lock = [0], [0], batches.look, threading.Lock()

    def watched(model, images, *options):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        try:
            return look(model, images, *options)
        finally:
            with lock:
                inside[0] -= 1

    monkeypatch.setattr(batches, "look", watched)
    monkeypatch.setattr(batches, "LARGE", 0)
    work = Batches(model, PHOTOS, Reading(), as_it_is)
    found = list(in_order(work, [range(n, n + 4) for n in range(0, 20, 4)], 4))
    assert [len(some) for some in found] == [4] * 5
    assert most == [1]


def test_files_whose_pixels_cannot_be_told():
    """They count for nothing here, and are refused where they are opened: no exception, no warning."""
    Image.new("1", (12_000, 9_000)).save("many.png")  # Pillow warns of so many pixels
    Path("text.png").write_text("no photograph")
    with suppress(FileExistsError):
        Path("folder.png").mkdir()
    assert batches._pixels("many.png") == 108_000_000
    assert [batches._pixels(name) for name in ("text.png", "folder.png", "gone.png", "a\0b.png")] == [0] * 4


@pytest.mark.parametrize("last", [0, 2, 5])
def test_stop(model, last):
    """Once it is set, the photograph that is being finished is the last one."""
    done = []

    def finish(seen):
        done.append(seen.number)
        if seen.number == last:
            work.stop.set()
        return seen.number

    work = Batches(model, PHOTOS, Reading(), finish)
    assert work(range(8)) == done == list(range(last + 1))
    assert work(range(8, 16)) == []
    assert done == list(range(last + 1))
