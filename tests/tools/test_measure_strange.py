"""`tools/measure_strange.py`: its pictures, its numbers, and those on the bundled model's card."""

import re
from pathlib import Path

import measure_strange
import numpy as np
import pytest
from bundled import strange

import npcam

ROOT = Path(__file__).parents[2]


def pictures(kind, seed=0):
    """All pictures of a kind, as pixels."""
    return [np.asarray(image) for image in strange.KINDS[kind](np.random.default_rng(seed))]


@pytest.mark.slow
@pytest.mark.parametrize("kind", strange.KINDS)
def test_pictures_follow_from_the_seed(kind):
    """The same pictures for the same seed, RGB of 224x224; no two alike."""
    one, again = pictures(kind), pictures(kind)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert {(a.shape, a.dtype.name) for a in one} == {((224, 224, 3), "uint8")}
    assert len({a.tobytes() for a in one}) == len(one) >= 200


@pytest.mark.slow
def test_numbers_one_by_one():
    """What is counted in batches is what each picture gives by itself."""
    model = npcam.load_model()
    found = measure_strange.measure(model, "plain colours")
    each = [npcam.explain(model, pixels) for pixels in pictures("plain colours")]
    tops = [e.probability for e in each]
    # a picture in a batch goes through the engine in another order of sums: 1e-5 as in tests/engine
    assert found.median == pytest.approx(float(np.median(tops)), abs=1e-5)
    assert found.highest == pytest.approx(max(tops), abs=1e-5)
    assert found.highest_class == each[int(np.argmax(tops))].label
    assert found.number == len(each)
    assert found.sure.value == pytest.approx(sum(top >= 0.9 for top in tops) / len(tops), abs=1.5 / len(tops))
    labels = [e.label for e in each]
    assert found.often[0] == max(set(labels), key=labels.count)
    assert found.often[1] == pytest.approx(labels.count(found.often[0]) / len(labels), abs=1.5 / len(tops))


@pytest.mark.slow
def test_the_card_has_these_numbers(capsys):
    """Each row that the program prints stands on the card; another Pillow may draw a little otherwise."""
    assert measure_strange.main([]) == 0
    card = (ROOT / "weights" / "README.md").read_text()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(strange.KINDS)
    for row in rows:
        kind = row.split("|")[1].strip()
        (there,) = [line for line in card.splitlines() if line.startswith(f"| {kind} |")]
        numbers, shown = ([float(n) for n in re.findall(r"\d+(?:\.\d+)?", line)] for line in (row, there))
        assert numbers[:3] == pytest.approx(shown[:3], abs=0.02)
        assert numbers[3:-1] == pytest.approx(shown[3:-1], abs=0.05)
        assert numbers[-1] == pytest.approx(shown[-1], abs=6)
        words = (re.findall(r"[a-z_]+", line) for line in (row, there))
        assert len(set(map(tuple, words))) == 1


def test_a_file_that_is_none(tmp_path, capsys):
    """One line, and status 2."""
    assert measure_strange.main(["--weights", str(tmp_path / "none.h5")]) == 2
    assert capsys.readouterr().err.startswith("measure_strange: ")
