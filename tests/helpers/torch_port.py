"""The network written anew in PyTorch, as torchvision writes it: NCHW, its names, batch norms folded or not.

It shares no code with npcam. `faults` are mistakes that people make in a port, by name.
"""

import numpy as np
from helpers.needs import needs

FAULTS = {  # name: the layer that is to blame, by torchvision's name of it
    "RGB for BGR": "conv1",
    "mean not subtracted": "conv1",
    "NHWC read as NCHW": "conv1",
    "pool padding missing": "maxpool",
    "conv1 padded on one side": "conv1",
    "epsilon": "layer2.0.bn2",
    "variance taken for deviation": "layer2.1.bn1",
    "ReLU missing": "layer2.1.relu_1",
    "bias missing": "layer2.1.conv1",
    "kernel transposed": "layer2.1.conv2",
    "kernel turned by 180 degrees": "layer3.0.conv2",
    "kernel in another order": "layer3.0.conv1",
    "weights of another layer": "layer3.0.bn2",
    "no shortcut": "layer3.0.add",
    "another class order": "fc",
}


class Port:
    """A run of a port.

    Attributes:
        arrays: {torchvision's name: array}, NCHW, in the order in which they were computed.
    """

    def __init__(self, weights, x, fold=False, join=False, fault="", v15=False):
        """Run it.

        Args:
            weights: npcam's weights.
            x: the preprocessed batch, (N, H, W, 3).
            fold: whether batch norms are folded into the convolutions.
            join: whether ReLUs are joined into what comes before.
            fault: a key of FAULTS.
            v15: whether strides are in the 3x3.
        """
        self.torch = needs("torch")
        self.weights, self.fold, self.join, self.fault = weights, fold, join, fault
        self.arrays = {}
        with self.torch.inference_mode():
            self._run(x, v15)

    def _of(self, name):
        tensors = {n: self.torch.tensor(np.array(a)) for n, a in self.weights.tensors[name].items()}
        if "kernel" in tensors and tensors["kernel"].ndim == 4:
            tensors["kernel"] = tensors["kernel"].permute(3, 2, 0, 1)
        return tensors

    def _keep(self, name, value):
        self.arrays[name] = value.numpy().copy()
        return value

    def _spoilt(self, conv, w):
        """A convolution's kernel and bias, with the fault if it is this one's."""
        if FAULTS.get(self.fault) != conv:
            return w["kernel"], w["bias"]
        kernel = w["kernel"]
        spoilt = {
            "kernel transposed": lambda: kernel.transpose(2, 3),
            "kernel turned by 180 degrees": lambda: kernel.flip(2, 3),
            "kernel in another order": lambda: kernel.permute(1, 0, 2, 3).reshape(kernel.shape),
        }
        bias = w["bias"] * 0 if self.fault == "bias missing" else w["bias"]
        return spoilt.get(self.fault, lambda: kernel)(), bias

    def _norm(self, ours, norm):
        """A batch norm as scale and shift, with the fault if it is this one's."""
        spoilt = self.fault if FAULTS.get(self.fault) == norm else ""
        bn = self._of(f"{ours[:-1]}1_bn" if spoilt == "weights of another layer" else f"{ours}_bn")
        epsilon = 1e-3 if spoilt == "epsilon" else self.weights.architecture.epsilon
        variance = bn["moving_variance"] ** (2 if spoilt == "variance taken for deviation" else 1)
        return bn["gamma"] / self.torch.sqrt(variance + epsilon), bn["moving_mean"], bn["beta"]

    def _conv_bn(self, ours, conv, x, stride=1, pad=0, relu=None):
        """A convolution, its batch norm and its ReLU; what of it is an array of its own, is kept."""
        functional = self.torch.nn.functional
        norm = conv.replace("conv", "bn").replace("downsample.0", "downsample.1")
        kernel, bias = self._spoilt(conv, self._of(f"{ours}_conv"))
        scale, mean, beta = self._norm(ours, norm)
        if self.fault == "conv1 padded on one side" and conv == "conv1":
            x, pad = functional.pad(x, (2, 4, 2, 4)), 0
        if self.fold:
            whole = kernel * scale[:, None, None, None], (bias - mean) * scale + beta
            y = functional.conv2d(x, *whole, stride, pad)
        else:
            y = self._keep(conv, functional.conv2d(x, kernel, bias, stride, pad))
            y = (y - mean[:, None, None]) * scale[:, None, None] + beta[:, None, None]
        if relu is None or not self.join:
            self._keep(conv if self.fold else norm, y)
        if relu is None:
            return y
        if FAULTS.get(self.fault) != relu:
            y = self.torch.relu(y)
        return self._keep(conv if self.fold and self.join else relu, y)

    def _run(self, x, v15):
        functional, arch = self.torch.nn.functional, self.weights.architecture
        if self.fault == "RGB for BGR":
            x = x[..., ::-1]
        elif self.fault == "mean not subtracted":
            x = x + np.float32([103.939, 116.779, 123.68])
        nchw = x.transpose(0, 3, 1, 2)
        if self.fault == "NHWC read as NCHW":
            nchw = x.reshape(nchw.shape)
        y = self.torch.tensor(np.ascontiguousarray(nchw))
        y = self._conv_bn("conv1", "conv1", y, 2, 3, "relu")
        y = functional.max_pool2d(y, 3, 2, 0 if self.fault == "pool padding missing" else 1)
        self._keep("maxpool", y)
        for stage, (count, s) in enumerate(zip(arch.blocks, arch.strides, strict=True), 1):
            for i in range(count):
                ours, name, stride = f"conv{stage + 1}_block{i + 1}", f"layer{stage}.{i}", s if i == 0 else 1
                first, second = (1, stride) if v15 else (stride, 1)
                z = self._conv_bn(f"{ours}_1", f"{name}.conv1", y, first, 0, f"{name}.relu")
                z = self._conv_bn(f"{ours}_2", f"{name}.conv2", z, second, 1, f"{name}.relu_1")
                z = self._conv_bn(f"{ours}_3", f"{name}.conv3", z)
                if i == 0:
                    y = self._conv_bn(f"{ours}_0", f"{name}.downsample.0", y, stride)
                z = z if FAULTS.get(self.fault) == f"{name}.add" else z + y
                if not self.join:
                    self._keep(f"{name}.add", z)
                y = self._keep(f"{name}.relu_2", self.torch.relu(z))
        y = self._keep("avgpool", y.mean((2, 3), keepdim=True)).flatten(1)
        dense = self._of("predictions")
        kernel = dense["kernel"].flip(1) if self.fault == "another class order" else dense["kernel"]
        self._keep("fc", functional.linear(y, kernel.T, dense["bias"]))


def nhwc(arrays):
    """The same arrays with channels last."""
    return {n: np.ascontiguousarray(np.moveaxis(a, 1, -1)) if a.ndim == 4 else a for n, a in arrays.items()}
