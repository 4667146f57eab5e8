"""A port in PyTorch, honest and with mistakes: the right layer and the right cause, from real kernels."""

import numpy as np
import pytest
from helpers.needs import needs

from npcam.common.where import bundled_path
from npcam.layers import layers
from npcam.verify.blame import with_cause
from npcam.verify.compare import verify
from npcam.verify.precision import FLOAT32, PRECISIONS
from npcam.verify.record import Record, read_record
from npcam.verify.run_npcam import run_npcam
from npcam.weights import read_weights

torch = needs("torch")
F = torch.nn.functional
pytestmark = pytest.mark.slow
LAYER = "conv4_block1_2_conv"
FUSED = ("Conv2D", "BatchNormalization", "ZeroPadding2D", "Add", "InputLayer")


@pytest.fixture(scope="module")
def bundled():
    """The bundled model, a part of chelsea.png, and npcam's run."""
    weights = read_weights(bundled_path())
    x = read_record("tests/reference/chelsea.h5").activations["input_layer"][:, :128, :128]
    return weights, x, run_npcam(weights, x)


def oihw(kernel):
    """HWIO as PyTorch has it."""
    return kernel.permute(3, 2, 0, 1)


def port(weights, x, instead=None, dtype=torch.float32):
    """Every layer by PyTorch, NCHW, as NHWC arrays; `instead` has what to do in place of a layer."""
    arch, instead = weights.architecture, instead or {}
    found = {"input_layer": torch.tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2))).to(dtype)}
    for layer in layers(arch)[1:]:
        x, *more = (found[name] for name in layer.inputs)
        w = weights.tensors.get(layer.name, {})
        w = {name: torch.tensor(np.array(array)).to(dtype) for name, array in w.items()}
        match layer.kind:
            case _ if layer.name in instead:
                y = instead[layer.name](x, w)
            case "Conv2D":
                around = layer.window // 2 if layer.padding == "same" else 0
                y = F.conv2d(x, oihw(w["kernel"]), w["bias"], layer.stride, around)
            case "BatchNormalization":
                y = norm(arch.epsilon)(x, w)
            case "Activation":
                y = F.relu(x)
            case "ZeroPadding2D":
                y = F.pad(x, (layer.padding,) * 4)
            case "MaxPooling2D":
                y = F.max_pool2d(x, 3, 2)
            case "Add":
                y = x + more[0]
            case "GlobalAveragePooling2D":
                y = x.mean((2, 3))
            case _:
                y = torch.softmax(logits(x, w), -1)
        found[layer.name] = y
    return {n: (y.permute(0, 2, 3, 1) if y.ndim == 4 else y).float().numpy().copy() for n, y in found.items()}


def norm(epsilon=1.001e-5, power=1, training=False):
    """A batch norm with one thing changed."""

    def layer(x, w):
        mean, variance = w["moving_mean"], w["moving_variance"] ** power
        return F.batch_norm(x, mean, variance, w["gamma"], w["beta"], training, 0, epsilon)

    return layer


def logits(x, w):
    """What comes before the softmax."""
    return F.linear(x, w["kernel"].T, w["bias"])


def conv(kernel=oihw, bias=1, stride=1, around=1):
    """A convolution with one thing changed."""
    return lambda x, w: F.conv2d(x, kernel(w["kernel"]), bias * w["bias"], stride, around)


def eight_bits(kernel):
    """PyTorch's own quantisation, symmetric, with a scale for each output channel."""
    k = oihw(kernel)
    scale = k.abs().amax((1, 2, 3)) / 127
    zero = torch.zeros(len(scale), dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(k, scale, zero, 0, -128, 127)


V15 = {f"conv{stage}_block1_1_conv": conv(around=0) for stage in (3, 4)} | {
    f"conv{stage}_block1_2_conv": conv(stride=2) for stage in (3, 4)
}
MISTAKES = {  # words: what is done in place of the layers, the first of which is to be blamed
    "stride in the 3x3 (v1.5)": V15,
    "kernel flipped by 180 degrees": {LAYER: conv(lambda k: oihw(k).flip(2, 3))},
    "kernel transposed (height and width)": {LAYER: conv(lambda k: oihw(k).transpose(2, 3))},
    "it lies as HWIO and is read as OIHW": {LAYER: conv(lambda k: k.reshape(oihw(k).shape))},
    "weights quantised to 8 bits, one scale for each channel": {LAYER: conv(eight_bits)},
    "bias missing": {LAYER: conv(bias=0)},
    "ReLU missing": {"conv3_block2_1_relu": lambda x, _: x},
    "another epsilon, 0.001": {"conv2_block1_1_bn": norm(1e-3)},
    "variance taken for deviation": {"conv3_block1_1_bn": norm(power=2)},
    "(training mode)": {"conv3_block1_1_bn": norm(training=True)},
    "SAME padding": {"conv1_pad": lambda x, _: F.pad(x, (2, 3, 2, 3))},
    "pool padding missing": {"pool1_pad": lambda x, _: x},
    "softmax missing": {"predictions": logits},
    "softmax twice": {"predictions": lambda x, w: torch.softmax(torch.softmax(logits(x, w), -1), -1)},
}


def judged(bundled, run, given="all", precision=FLOAT32):
    """The report, from all tensors or from what a fused engine gives."""
    weights, _, own = bundled
    kinds = {layer.name: layer.kind for layer in layers(weights.architecture)}
    kept = {n: a for n, a in run.items() if given == "all" or kinds[n] not in FUSED}
    report = verify(weights, own, Record(kept), partial=True, precision=precision)
    return with_cause(report, weights, own, Record(kept), precision)


@pytest.mark.parametrize("given", ["all", "fused"])
def test_an_honest_port_is_green(bundled, given):
    """In float32, with the tensors of every layer or without the input and what lies between ReLUs."""
    weights, x, _ = bundled
    report = judged(bundled, port(weights, x), given)
    assert report.first_bad is None
    assert report.cause is None


@pytest.mark.parametrize("given", ["all", "fused"])
@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_in_pytorch_is_named(bundled, words, given):
    """In the layer where it is, from whatever tensors there are."""
    weights, x, _ = bundled
    layer = next(iter(MISTAKES[words]))
    report = judged(bundled, port(weights, x, MISTAKES[words]), given)
    if given == "all":
        assert report.first_bad.name == layer
    assert report.cause.layer == layer
    assert words in report.cause.words


@pytest.mark.parametrize("given", ["all", "fused"])
def test_rgb_for_bgr(bundled, given):
    """In the input; where it is not given, from the first convolution on."""
    weights, x, _ = bundled
    report = judged(bundled, port(weights, np.ascontiguousarray(x[..., ::-1])), given)
    assert report.cause.layer == "input_layer"
    assert report.cause.words.startswith("channels reversed (RGB for BGR)")


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_pytorchs_short_types(bundled, name):
    """Its own kernels: green with the precision, red without, and a flipped kernel is named."""
    weights, x, _ = bundled
    dtype, precision = getattr(torch, name), PRECISIONS[name]
    honest = port(weights, x, dtype=dtype)
    assert judged(bundled, honest, precision=precision).ok
    assert judged(bundled, honest, "fused", precision=precision).first_bad is None
    assert f"--precision {name} allows for it" in str(judged(bundled, honest).cause)
    words = "kernel flipped by 180 degrees"
    for given in ("all", "fused"):
        report = judged(bundled, port(weights, x, MISTAKES[words], dtype), given, precision)
        assert str(report.cause) == f"{LAYER}: {words}"


def test_epsilon_everywhere_is_told_as_it_is(bundled):
    """Its first batch norm shows it least; the others tell its value."""
    weights, x, _ = bundled
    names = [layer.name for layer in layers(weights.architecture) if layer.kind == "BatchNormalization"]
    report = judged(bundled, port(weights, x, {name: norm(1e-3) for name in names}))
    assert report.first_bad.name == "conv1_bn"
    assert str(report.cause) == "conv1_bn: another epsilon, 0.001, not 1.001e-05"
