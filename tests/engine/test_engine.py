"""The fast forward pass against the readable one, which is the definition."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers.agreement import photographs
from helpers.networks import random_tensors
from helpers.pieces import small_pieces

import npcam
from npcam import resnet
from npcam.engine import Engine
from npcam.engine import engine as engine_module
from npcam.layers import weight_shapes
from npcam.resnet import Architecture

SMALL = Architecture(blocks=(1, 2, 2, 1))
EPS = {np.float32: float(np.finfo(np.float32).eps), np.float64: float(np.finfo(np.float64).eps)}


def reference(x, tensors, arch):
    """Every activation of the readable forward pass in float64, the logits among them."""
    found = {}
    wide = {layer: {n: a.astype(np.float64) for n, a in arrays.items()} for layer, arrays in tensors.items()}

    def keep(name, value):
        found[name] = value
        return value

    y = resnet.features(x.astype(np.float64), wide, arch, keep)
    if arch.activation is not None:
        found["logits"], _ = resnet.head(y, wide, arch, keep)
    return found


@pytest.fixture(params=[0, 1500, 1_000_000], ids=["packed", "in pieces", "unpacked"])
def machine(request, monkeypatch):
    """BLAS that packs every matrix; none of the small ones; and limits that small networks reach."""
    monkeypatch.setattr(engine_module, "unpacked_products", lambda: request.param)
    if request.param == 1500:
        small_pieces(monkeypatch)


def assert_close(found, expected, dtype=np.float32, roundings=64):
    """Equal to `roundings` units of rounding of the largest number.

    A unit is eps times the maximum. A convolution over K terms in blocks rounds like sqrt(K) random
    steps and a residual network hands that on with a gain of about 1, so an error grows like the
    square root of the depth: some tens of units for 16 blocks.
    """
    assert found.dtype == dtype
    assert found.shape == expected.shape
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert error < roundings * EPS[dtype]


def check(arch, tensors, x, dtype=np.float32):
    """Logits and features of the engine against the readable forward pass in float64."""
    expected = reference(x, tensors, arch)
    features = resnet.last_activation(arch)
    outputs = Engine(arch, tensors).run(x, [features])
    assert_close(outputs.activations[features], expected[features], dtype)
    if arch.activation is None:
        assert outputs.logits is None
    else:
        assert_close(outputs.logits, expected["logits"], dtype)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 96), (75, 50), (97, 32), (112, 112)])
@pytest.mark.parametrize("batch", [1, 2, 3, 5])
def test_sizes_and_batches(size, batch):
    """Any size from 32 up, square or not, even or odd, in any batch."""
    check(SMALL, random_tensors(SMALL), photographs(batch, *size))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("width", [1, 3, 5, 8, 17, 32])
def test_widths(width):
    """Any number of channels, odd ones too."""
    check(SMALL, random_tensors(SMALL, width), photographs(2, 64, 64))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("channels_from", [0, 1 << 21])
@pytest.mark.parametrize("few_tiles", [0, 1000])
@pytest.mark.parametrize("batch", [1, 4])
def test_every_convolution_of_another_width(channels_from, few_tiles, batch, monkeypatch):
    """Keras's are as wide in the 3x3 as in the 1x1 before it; others need not be."""
    monkeypatch.setattr("npcam.engine.slices.LARGE", channels_from)
    monkeypatch.setattr("npcam.engine.geometry.FEW_TILES", few_tiles)
    arch = Architecture(blocks=(2, 1), strides=(1, 2))
    widths = {"conv1_conv": 3, "predictions": 5}
    for stage, blocks, block in ((2, 2, (20, 4, 6, 20)), (3, 1, (14, 9, 5, 14))):
        for n in range(1, blocks + 1):
            widths |= {f"conv{stage}_block{n}_{part}_conv": k for part, k in enumerate(block)}
    rng, tensors = np.random.default_rng(0), {}
    for layer, shapes in weight_shapes(arch, widths).items():
        tensors[layer] = {
            name: (rng.uniform(0.5, 1, shape) * (0.1 if name == "kernel" else 1)).astype(np.float32)
            for name, shape in shapes.items()
        }
        if "kernel" in tensors[layer]:
            tensors[layer]["kernel"] *= rng.choice(np.float32([-1, 1]), shapes["kernel"])
    check(arch, tensors, photographs(batch, 70, 59))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    "arch",
    [
        Architecture(blocks=(3, 4, 6, 3)),
        Architecture(blocks=(1,), strides=(1,)),
        Architecture(blocks=(1, 1), strides=(2, 3)),
        Architecture(blocks=(2, 2, 2, 2), stride_in=2),
        Architecture(blocks=(1, 1, 1, 1), pool_padding=0, epsilon=1e-3),
        Architecture(blocks=(2, 1, 1, 1), strides=(1, 2, 2, 1)),
        Architecture(blocks=(1, 1, 1, 1), activation="sigmoid"),
        Architecture(blocks=(1, 1, 1, 1), activation=None),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [(64, 64), (71, 90)])
def test_architectures(arch, size):
    """Every entry of an architecture, at an even and an odd size."""
    tensors = random_tensors(arch)
    assert ("predictions" in tensors) == (arch.activation is not None)
    check(arch, tensors, photographs(2, *size))


@pytest.mark.usefixtures("machine")
def test_float64():
    """A float64 engine rounds like float64."""
    x = photographs(2, 64, 64, dtype=np.float64)
    check(SMALL, random_tensors(SMALL, dtype=np.float64), x, np.float64)


@pytest.mark.slow
def test_every_activation_by_name():
    """Each Keras layer's own value, also where the fast pass never has it."""
    tensors, x = random_tensors(SMALL), photographs(2, 64, 64)
    expected = reference(x, tensors, SMALL)
    names = [name for name in expected if name != "logits"]
    fast = Engine(SMALL, tensors)
    together = fast.run(x, names).activations
    assert list(together) == names
    for name in names:
        assert_close(together[name], expected[name])
        assert_close(fast.run(x, [name]).activations[name], expected[name])


def test_a_photograph_alone_and_in_a_batch():
    """The same result to rounding, wherever in the batch it stands."""
    x = photographs(5, 64, 64)
    fast = Engine(SMALL, random_tensors(SMALL))
    together = fast.run(x).logits
    alone = np.concatenate([fast.run(x[i : i + 1]).logits for i in range(5)])
    assert_close(together, alone)


def test_the_same_bits_every_time():
    """Run after run, and in a second engine of the same weights."""
    x, tensors = photographs(3, 64, 64), random_tensors(SMALL)
    fast = Engine(SMALL, tensors)
    first = fast.run(x).logits
    assert np.array_equal(first, fast.run(x).logits)
    assert np.array_equal(first, Engine(SMALL, tensors).run(x).logits)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("threads", [2, 4, 8, 16])
@pytest.mark.parametrize("batch", [1, 16])
def test_the_same_bits_whoever_does_which_task(threads, batch, monkeypatch):
    """Many threads on few cores, and the caller alone: the same bits, which are right to rounding."""
    monkeypatch.setattr("npcam.engine.slices.LARGE", 100_000)
    x, tensors = photographs(batch, 64, 64), random_tensors(SMALL, 16)
    fast = Engine(SMALL, tensors, threads=threads)
    first = fast.run(x).logits
    assert_close(first, reference(x, tensors, SMALL)["logits"])
    for _ in range(5):
        assert np.array_equal(first, fast.run(x).logits)
    with fast._team._busy:  # as if for another caller
        assert np.array_equal(first, fast.run(x).logits)


def test_results_stay_when_the_engine_runs_on():
    """What was returned is nobody's scratch memory."""
    fast = Engine(SMALL, random_tensors(SMALL))
    first = fast.run(photographs(2, 64, 64), ["conv5_block1_out"]).activations["conv5_block1_out"]
    copy = first.copy()
    fast.run(photographs(2, 64, 64, seed=2), ["conv5_block1_out"])
    assert np.array_equal(first, copy)


def test_many_threads_one_engine():
    """Eight threads with pictures of different sizes get what each would get alone."""
    fast = Engine(SMALL, random_tensors(SMALL))
    batches = [photographs(1 + i % 3, 40 + 8 * i, 64, seed=i) for i in range(8)]
    expected = [fast.run(x).logits for x in batches]
    found = [None] * len(batches)

    def work(i):
        for _ in range(5):
            found[i] = fast.run(batches[i]).logits
            assert np.array_equal(found[i], expected[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_batch_larger_than_memory_is_cut(monkeypatch):
    """In pieces of one, the result is the same to rounding."""
    x = photographs(5, 64, 64)
    fast = Engine(SMALL, random_tensors(SMALL))
    whole = fast.run(x, ["avg_pool"])
    monkeypatch.setattr("npcam.engine.schedule.SCRATCH", 1)
    cut = fast.run(x, ["avg_pool"])
    assert_close(cut.logits, whole.logits)
    assert_close(cut.activations["avg_pool"], whole.activations["avg_pool"])


@pytest.mark.usefixtures("machine")
@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("size", [(64, 64), (97, 130), (224, 160)])
def test_large_filters_are_shared_by_channels(threads, batch, size, monkeypatch):
    """Whatever is shared how, by one thread or three, it is the same network."""
    monkeypatch.setattr("npcam.engine.slices.LARGE", 3000)
    monkeypatch.setattr("npcam.engine.geometry.FEW_TILES", 0)
    tensors, x = random_tensors(SMALL, 7), photographs(batch, *size)
    fast = Engine(SMALL, tensors, threads=threads)
    assert {step.shared for step in fast.plan(batch, *size)} > {"channels"}
    assert any("Winograd" in step.method for step in fast.plan(batch, *size))
    features = resnet.last_activation(SMALL)
    outputs, expected = fast.run(x, [features]), reference(x, tensors, SMALL)
    assert_close(outputs.activations[features], expected[features])
    assert_close(outputs.logits, expected["logits"])


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("stride_in", [1, 2])
@pytest.mark.parametrize("strides", [(1, 2, 2, 2), (2, 1, 3, 2)])
def test_strides_where_channels_are_shared(stride_in, strides, monkeypatch):
    """Strides in either convolution, and positions skipped, from the first block on."""
    monkeypatch.setattr("npcam.engine.slices.LARGE", 0)
    monkeypatch.setattr("npcam.engine.geometry.FEW_TILES", 0)
    arch = Architecture(blocks=(2, 1, 2, 1), strides=strides, stride_in=stride_in)
    check(arch, random_tensors(arch, 5), photographs(3, 95, 64))
    check(arch, random_tensors(arch, 5), photographs(1, 95, 64))


def test_filters_are_transformed_once(monkeypatch):
    """One file, many runs and sizes: no filter is transformed twice to the same form."""
    from npcam.engine import filters

    count = []
    plain = filters.transform_filters
    monkeypatch.setattr(filters, "transform_filters", lambda *given: count.append(1) or plain(*given))
    fast = Engine(SMALL, random_tensors(SMALL))
    assert not count
    for batch in (1, 2, 5, 8, 2):
        fast.run(photographs(batch, 96, 96))
        fast.run(photographs(batch, 128, 64))
    assert 0 < len(count) <= 2 * sum(SMALL.blocks)


@pytest.mark.slow
def test_errors_stay_small_at_full_size():
    """Probabilities within 1e-6 and features within 1e-5 of their maximum, all speed-ups on."""
    arch = Architecture()
    tensors = random_tensors(arch, 64, 100)
    x = photographs(2, 224, 224)
    expected = reference(x, tensors, arch)
    fast = Engine(arch, tensors, threads=2)
    for batch in (x, x[:1], np.concatenate([x] * 4)):
        found = fast.run(batch, ["conv5_block3_out", "predictions"]).activations
        n = min(len(batch), 2)
        error = np.abs(found["conv5_block3_out"][:n] - expected["conv5_block3_out"][:n]).max()
        assert error <= 1e-5 * expected["conv5_block3_out"].max()
        assert np.abs(found["predictions"][:n] - expected["predictions"][:n]).max() <= 1e-6


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_after_a_fork():
    """A child process has no threads of its parent's, and starts its own."""
    program = """
import os, sys, numpy as np
from helpers.networks import random_tensors
from npcam.engine import Engine
from npcam.resnet import Architecture
arch = Architecture(blocks=(1, 1, 1, 1))
fast = Engine(arch, random_tensors(arch), threads=2)
x = np.ones((1, 64, 64, 3), np.float32)
expected = fast.run(x).logits
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(fast.run(x).logits, expected) else 1)
sys.exit(os.waitpid(child, 0)[1])
"""
    folders = [str(Path(__file__).parents[1]), str(Path(npcam.__file__).parent.parent)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


def test_no_photographs():
    """A batch of none gives arrays of none."""
    features = resnet.last_activation(SMALL)
    outputs = Engine(SMALL, random_tensors(SMALL)).run(photographs(0, 64, 64), [features])
    assert outputs.logits.shape == (0, 5)
    assert outputs.activations[features].shape == (0, 2, 2, 256)


def test_arguments_are_left_alone():
    """Neither the batch nor the weights change."""
    x, tensors = photographs(2, 64, 64), random_tensors(SMALL)
    before = x.copy()
    Engine(SMALL, tensors).run(x)
    assert np.array_equal(x, before)
    fresh = random_tensors(SMALL)
    assert all(np.array_equal(tensors[la][n], fresh[la][n]) for la in fresh for n in fresh[la])


@pytest.mark.parametrize("shape", [(32, 32, 3), (1, 32, 32, 1), (1, 32, 32, 4)])
def test_no_batch_of_photographs(shape):
    """What NumPy would stretch to three channels is refused, in the words of `ops`."""
    with pytest.raises(ValueError, match=r"\(N, H, W, C\)|need a kernel"):
        Engine(SMALL, random_tensors(SMALL)).run(np.zeros(shape, np.float32))


@pytest.mark.parametrize("dtype", [np.float64, np.uint8])
def test_a_batch_of_other_numbers(dtype):
    """The engine casts nothing, and says so."""
    with pytest.raises(ValueError, match=f"computes in float32; got a batch of {np.dtype(dtype)}"):
        Engine(SMALL, random_tensors(SMALL)).run(np.zeros((1, 32, 32, 3), dtype))


def test_an_unknown_name():
    """A layer that is not there is named."""
    with pytest.raises(KeyError, match="conv9_out"):
        Engine(SMALL, random_tensors(SMALL)).run(photographs(1, 32, 32), ["conv9_out"])


@pytest.mark.parametrize("size", [*range(7, 33), 45])
def test_any_size_that_has_a_result(size):
    """Down to what leaves one position, as in the readable pass; below it, both refuse."""
    tensors, x = random_tensors(SMALL, 4), photographs(2, size, 40)
    outputs = Engine(SMALL, tensors, threads=3).run(x)
    assert_close(outputs.logits, reference(x, tensors, SMALL)["logits"])
    with pytest.raises(ValueError, match="does not fit"):
        Engine(SMALL, tensors).run(photographs(1, 0, 0))


def test_a_pass_is_recorded_once_per_group_and_size(monkeypatch):
    """Seven photographs on two threads are six and one; the next seven need nothing new."""
    recorded = []
    plain = engine_module.record_pass
    monkeypatch.setattr(engine_module, "record_pass", lambda *a: recorded.append(a[0]) or plain(*a))
    fast = Engine(SMALL, random_tensors(SMALL), threads=2)
    for _ in range(2):
        fast.run(photographs(7, 64, 64))
    assert [s.photographs for s in recorded] == [6, 1]
    fast.run(photographs(1, 64, 48))
    fast.run(photographs(1, 48, 64))
    fast.run(photographs(1, 64, 64))
    assert [s.size for s in recorded[2:]] == [(64, 48), (48, 64)]


def test_memory_that_lies_idle_is_bounded(monkeypatch):
    """Recorded passes are given up, the oldest first, but for the last one."""
    fast = Engine(SMALL, random_tensors(SMALL), threads=1)
    sizes = [(64, 64), (64, 72), (64, 80)]
    for size in sizes:
        fast.run(photographs(1, *size))
    assert [key[1:] for key, _ in fast._idle] == sizes
    whole = sum(recorded.nbytes for _, recorded in fast._idle)
    monkeypatch.setattr(engine_module, "SCRATCH", whole)
    fast.run(photographs(1, 64, 72))
    assert [key[2] for key, _ in fast._idle] == [64, 80, 72]
    monkeypatch.setattr(engine_module, "SCRATCH", whole - 1)
    fast.run(photographs(1, 64, 72))
    assert [key[2] for key, _ in fast._idle] == [80, 72]
    monkeypatch.setattr(engine_module, "SCRATCH", 0)
    fast.run(photographs(1, 64, 72))
    assert [key[2] for key, _ in fast._idle] == [72]


def test_two_callers_do_not_share_a_pass():
    """While one has a recorded pass, another gets its own; both are kept."""
    fast = Engine(SMALL, random_tensors(SMALL), threads=1)
    with fast._recorded(1, 64, 64) as first, fast._recorded(1, 64, 64) as second:
        assert first is not second
    with fast._recorded(1, 64, 64) as again:
        assert again is first
    assert len(fast._idle) == 2


def test_layers_one_by_one_in_pieces(monkeypatch):
    """800 bytes per pixel and photograph; the pieces come back as one."""
    fast, x = Engine(SMALL, random_tensors(SMALL)), photographs(5, 40, 32)
    expected = fast.run(x, ["conv1_relu"])
    seen = []
    plain = resnet.run
    monkeypatch.setattr(resnet, "run", lambda x, *a: seen.append(len(x)) or plain(x, *a))
    for scratch, pieces in (
        (800 * 40 * 32 * 2, [2, 2, 1]),
        (800 * 40 * 32 * 2 - 1, [1] * 5),
        (1, [1] * 5),
        (512 << 20, [5]),
    ):
        monkeypatch.setattr(engine_module, "SCRATCH", scratch)
        seen.clear()
        found = fast.run(x, ["conv1_relu"])
        assert seen == pieces
        assert_close(found.logits, expected.logits)
        assert_close(found.activations["conv1_relu"], expected.activations["conv1_relu"])


def test_what_comes_from_the_fast_pass(monkeypatch):
    """The batch itself, the last activation, the average and the probabilities, and nothing else."""
    tensors, x = random_tensors(SMALL), photographs(3, 64, 64)
    fast, expected = Engine(SMALL, tensors, threads=2), reference(x, tensors, SMALL)
    monkeypatch.setattr(resnet, "run", None)
    names = ["predictions", "input_layer", "conv5_block1_out", "avg_pool"]
    outputs = fast.run(x, names)
    assert list(outputs.activations) == names
    for name in ("predictions", "conv5_block1_out", "avg_pool"):
        assert_close(outputs.activations[name], expected[name])
    assert np.array_equal(outputs.activations["input_layer"], x)
    assert fast.run(x).activations == {}
    with pytest.raises(TypeError):
        fast.run(x, ["conv4_block1_out"])


def test_as_many_threads_as_cores(monkeypatch):
    """Unless it is said otherwise."""
    monkeypatch.setattr(engine_module, "cores", lambda: 3)
    assert Engine(SMALL, random_tensors(SMALL))._team.size == 3
    assert Engine(SMALL, random_tensors(SMALL), threads=1)._team.size == 1
