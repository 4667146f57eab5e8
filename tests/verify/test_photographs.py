"""Several photographs in one verdict: each is judged, and the worst of each layer is shown."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.ports import arrays

from npcam.common.errors import InputError
from npcam.resnet import Architecture
from npcam.verify.blame import with_cause
from npcam.verify.compare import verify
from npcam.verify.photographs import first_off, pairs, together
from npcam.verify.record import Record, write_record
from npcam.verify.report import as_json, closeness, finding, verdict
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, write_weights

ARCH = Architecture(blocks=(1, 1), strides=(1, 2))


@pytest.fixture
def batches(tmp_path, monkeypatch):
    """A network, and three saved batches of one, two and one photographs."""
    monkeypatch.chdir(tmp_path)
    weights = Weights(ARCH, random_tensors(ARCH, width=4))
    rng = np.random.default_rng(1)
    found = {}
    for name, n in (("a.npy", 1), ("b.npy", 2), ("c.npy", 1)):
        found[name] = rng.uniform(-120, 150, (n, 32, 40, 3)).astype(np.float32)
        np.save(name, found[name])
    return weights, found


def reports(weights, paths, against, **options):
    """A comparison for each photograph."""
    return {
        photo: verify(weights, own, other) for photo, own, other in pairs(paths, weights, against, **options)
    }


def test_the_verdict_is_that_of_each(batches):
    """Against npcam's own float64: a report a file, and of each layer the row nearest to its limit."""
    weights, found = batches
    each = reports(weights, list(found), "reference")
    whole = together(each)
    assert list(each) == list(found)
    assert whole.ok
    for i, row in enumerate(whole.rows):
        same = [report.rows[i] for report in each.values()]
        assert closeness(row) == max(map(closeness, same))
        assert replace(row, photo="") == each[row.photo].rows[i]
    single = {"a.npy": each["a.npy"]}
    assert together(single) is each["a.npy"]


@pytest.mark.parametrize("kind", ["record", "npz"])
def test_what_was_saved_is_cut_by_photograph(batches, kind):
    """A run of all photographs, in their order; a fault in one of them is blamed on that one."""
    weights, found = batches
    whole = run_npcam(weights, np.concatenate(list(found.values())))
    bad = {name: a.copy() for name, a in whole.activations.items()}
    bad["conv2_block1_2_conv"][2, 3, 4, 1] += 1  # of the second of b.npy
    for run, first in ((whole.activations, None), (bad, "conv2_block1_2_conv")):
        write_record("run.h5", Record(run)) if kind == "record" else np.savez(
            "run.npz", **arrays(Record(run), nchw=True)
        )
        each = reports(weights, list(found), "run.h5" if kind == "record" else "run.npz")
        assert [report.ok for report in each.values()] == [True, first is None, True]
        whole_report = together(each)
        assert as_json(whole_report)["first_bad"] == first
        if first:
            row = whole_report.first_bad
            assert (row.photo, row.alone.worst) == ("b.npy", (1, 3, 4, 1))
            assert finding(whole_report)[0].endswith(f"the first is {first} (Conv2D), on b.npy")


def test_each_photograph_has_a_cause_of_its_own(batches):
    """The verdict has that of the first bad layer of all, wherever it stands among the photographs."""
    weights, found = batches
    whole = run_npcam(weights, np.concatenate(list(found.values())))
    bad = {name: a.copy() for name, a in whole.activations.items()}
    bad["conv2_block1_1_bn"][:1] = bad["conv2_block1_1_conv"][:1]
    bad["conv1_relu"][3:] = bad["conv1_bn"][3:]
    write_record("run.h5", Record(bad))
    each = {
        photo: with_cause(verify(weights, own, other), weights, own, other)
        for photo, own, other in pairs(list(found), weights, "run.h5")
    }
    causes = {photo: report.cause and str(report.cause) for photo, report in each.items()}
    assert causes["b.npy"] is None
    assert causes["a.npy"] == "conv2_block1_1_bn: batch norm missing"
    assert causes["c.npy"] == "conv1_relu: ReLU missing"
    assert together(each).cause == each["c.npy"].cause
    assert verdict(together(each)).endswith("(Activation), on c.npy; cause: conv1_relu: ReLU missing")
    assert first_off(each) == "c.npy"
    assert first_off({"a.npy": each["a.npy"]}) == "a.npy"
    assert first_off({"b.npy": each["b.npy"]}) is None


def test_a_dead_channel_needs_more_than_one_photograph(batches):
    """A weight that does nothing on black is found on the photograph where it does something."""
    weights, found = batches
    np.save("black.npy", np.zeros_like(found["a.npy"]))
    tensors = {name: dict(members) for name, members in weights.tensors.items()}
    kernel = tensors["conv1_conv"]["kernel"].copy()
    kernel[3, 3, 1, 2] *= -1
    tensors["conv1_conv"]["kernel"] = kernel
    write_weights("other.h5", replace(weights, tensors=tensors))
    without_hashes = {
        photo: verify(weights, replace(own, tensors={}), other)
        for photo, own, other in pairs(["black.npy", "a.npy"], weights, "other.h5")
    }
    assert without_hashes["black.npy"].ok
    assert together(without_hashes).first_bad.photo == "a.npy"
    assert together(without_hashes).first_bad.name == "conv1_conv"


def test_files_that_cannot_be_told_apart_or_put_together(batches):
    """Twice the same, other numbers of photographs, other sizes: one line."""
    weights, found = batches
    with pytest.raises(InputError, match=r"a\.npy: given twice; give each photograph once"):
        reports(weights, ["a.npy", "a.npy"], "reference")
    write_record("run.h5", run_npcam(weights, found["b.npy"]))
    with pytest.raises(InputError, match=r"run\.h5: of 2 photographs, 4 given; give the same ones, in order"):
        reports(weights, list(found), "run.h5")
    np.save("large.npy", np.zeros((1, 40, 40, 3), np.float32))
    with pytest.raises(InputError, match=r"large\.npy: its size is \(40, 40\), the one before \(32, 40\)"):
        reports(weights, ["b.npy", "large.npy"], "run.h5")
    assert list(reports(weights, ["a.npy", "large.npy"], "fast")) == ["a.npy", "large.npy"]


def test_names_are_those_of_the_files_where_that_is_enough(batches, tmp_path):
    """The same name in two folders is told by the folder."""
    weights, found = batches
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        np.save(f"{folder}/x.npy", found["a.npy"])
    assert list(reports(weights, ["one/x.npy", "a.npy"], "reference")) == ["x.npy", "a.npy"]
    assert list(reports(weights, ["one/x.npy", "two/x.npy"], "reference")) == ["one/x.npy", "two/x.npy"]
