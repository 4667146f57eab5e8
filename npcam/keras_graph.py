"""Is this graph a ResNet, and which? Read from its output back to its input, layer by layer.

Names do not matter here, only what each layer does: its class, its settings, what it reads. What
comes out is the architecture, and which layer plays which part, by Keras's own names for them.
"""

import itertools
from typing import NamedTuple

from npcam.errors import InputError
from npcam.keras_config import Graph, Node, Path
from npcam.keras_settings import activation, channels_last, check_bn, check_conv, pads, sides
from npcam.layers import output_shapes
from npcam.resnet import ACTIVATIONS, Architecture, last_activation, residual_blocks

# What does nothing outside of training.
IDENTITIES = frozenset(
    [
        "Dropout",
        "SpatialDropout2D",
        "GaussianNoise",
        "GaussianDropout",
        "AlphaDropout",
        "ActivityRegularization",
        "Identity",
    ]
)


class Network(NamedTuple):
    """A ResNet recognised in a Keras model.

    Attributes:
        architecture: which ResNet it is.
        parts: {Keras's name of a layer with weights (`conv2_block1_1_conv`): that layer here}.
        input_size: (height, width), or None where the model takes any.
        front: the layers between the model's input and the ResNet, in order.
    """

    architecture: Architecture
    parts: dict[str, Node]
    input_size: tuple[int, int] | None
    front: tuple[Node, ...]


class _Block(NamedTuple):
    """One residual block: its convolutions and batch norms by their part of the name, and its input."""

    parts: dict[str, Node]
    stride: int
    stride_in: int
    x: Node


def recognise(graph: Graph, where: str) -> Network:
    """Find the ResNet in a graph.

    Args:
        graph: the layers, from `keras_config.read_graph`.
        where: the file's name, for messages.

    Raises:
        InputError: it is none that npcam runs; the layer where it differs is named.
    """
    return _Matcher(graph, where).network()


class _Matcher:
    """Walks the graph backwards; every method takes a node and returns what lies before it."""

    def __init__(self, graph: Graph, where: str) -> None:
        self.graph = graph
        self.where = where
        self.average: Node | None = None  # an AveragePooling2D that has to cover the whole map

    def network(self) -> Network:
        """The whole of it."""
        head, x, head_activation = self._head(self._output())
        blocks: list[_Block] = []
        while x.kind != "MaxPooling2D":
            blocks.insert(0, self._block(x))
            x = self._skip(blocks[0].x)
        stem, pool_padding, source = self._stem(x)
        parts = stem | self._name(blocks)
        if head is not None:
            parts["predictions"] = head
        epsilons = {check_bn(node, self.where) for name, node in parts.items() if name.endswith("_bn")}
        if len(epsilons) != 1:
            raise InputError(
                f"{self.where}: batch norms of different epsilon {sorted(epsilons)}; one expected"
            )
        stride_in = {b.stride_in for b in blocks if b.stride > 1}
        if len(stride_in) > 1:
            raise InputError(f"{self.where}: some stages stride in their 1x1, some in their 3x3 convolution")
        starts = [i for i, block in enumerate(blocks) if "0_conv" in block.parts] + [len(blocks)]
        arch = Architecture(
            blocks=tuple(b - a for a, b in itertools.pairwise(starts)),
            strides=tuple(blocks[i].stride for i in starts[:-1]),
            stride_in=min(stride_in, default=1),
            pool_padding=pool_padding,
            epsilon=epsilons.pop(),
            activation=head_activation,
        )
        front, size = self._front(source)
        if self.average is not None:
            self._check_average(self.average, arch, size)
        return Network(arch, parts, size, front)

    def _output(self) -> Node:
        """The layer that everything else leads to, where a model puts out several."""
        last = self.graph.outputs[0]
        outputs = set(self.graph.outputs)
        for last in outputs:
            if outputs <= self._ancestors(last):
                return self.graph.nodes[last]
        names = ", ".join("/".join(path) for path in sorted(outputs))
        raise InputError(f"{self.where}: outputs {names} do not lie on one path; npcam runs one classifier")

    def _ancestors(self, path: Path) -> set[Path]:
        """A layer and all that it depends on."""
        seen: set[Path] = set()
        todo = [path]
        while todo:
            if (path := todo.pop()) not in seen:
                seen.add(path)
                todo += self.graph.nodes[path].inputs
        return seen

    def _head(self, node: Node) -> tuple[Node | None, Node, str | None]:
        """(the dense layer, the last activation, its function); no dense layer in a backbone alone."""
        function = None
        node = self._skip(node)
        if node.kind in ("Activation", "Softmax") and self._skip(self._before(node)).kind == "Dense":
            function = activation(node, self.where)
            node = self._skip(self._before(node))
        if node.kind != "Dense":
            return None, self._pooled(node, with_dense=False), None
        own = activation(node, self.where)
        if "linear" not in (own, function or "linear"):
            raise InputError(f"{self.where}: {node.label} has two activations, {own} and {function}")
        function = own if own != "linear" else function or "linear"
        if function not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise InputError(f"{self.where}: {node.label} has the activation {function}; npcam runs {known}")
        before = self._skip(self._before(node))
        if before.kind in ("Dense", "BatchNormalization"):
            msg = (
                f"{self.where}: {before.label} stands before {node.label}; a class activation map needs "
                "global average pooling followed by exactly one Dense layer"
            )
            raise InputError(msg)
        return node, self._pooled(before, with_dense=True), function

    def _pooled(self, node: Node, with_dense: bool) -> Node:
        """The last activation, before its global average pooling, which a backbone may not have."""
        flat = None
        if node.kind in ("Flatten", "Reshape"):
            flat, node = node, self._skip(self._before(node))
        if node.kind == "GlobalAveragePooling2D":
            channels_last(node, self.where)
            return self._skip(self._before(node))
        if node.kind == "AveragePooling2D":
            channels_last(node, self.where)
            self.average = node
            return self._skip(self._before(node))
        if "MaxPooling2D" in node.kind and node.kind.startswith("Global"):
            reason = "takes the maximum; a class activation map needs global average pooling"
            raise InputError(f"{self.where}: {node.label} {reason}")
        if flat is not None or with_dense:
            reason = "a class activation map needs global average pooling before the Dense layer"
            raise InputError(f"{self.where}: {(flat or node).label} where pooling was expected; {reason}")
        return node

    def _check_average(self, node: Node, arch: Architecture, size: tuple[int, int] | None) -> None:
        """Raise InputError unless an average pool covers the whole of the last map, once."""
        window = sides(node, "pool_size", 2)
        map_size = None if size is None else output_shapes(arch, {}, size)[last_activation(arch)][1:3]
        if window != map_size:
            msg = (
                f"{self.where}: {node.label} averages {window} of a map of {map_size}; a class activation "
                "map needs one average over all of it"
            )
            raise InputError(msg)

    def _block(self, node: Node) -> _Block:
        """The residual block that ends with the activation `node`."""
        self._expect_relu(node)
        add = self._before(node)
        if add.kind == "BatchNormalization":
            reason = "normalises after the addition, as ResNetV2 does; npcam runs ResNet (v1)"
            raise InputError(f"{self.where}: {add.label} {reason}")
        merges = add.kind == "Merge" and add.config.get("mode") == "sum"
        if (add.kind != "Add" and not merges) or len(add.inputs) != 2:
            raise InputError(f"{self.where}: {add.label} where a residual block's Add was expected")
        a, b = (self._skip(self.graph.nodes[path]) for path in add.inputs)
        for main, shortcut in ((a, b), (b, a)):
            found = self._branches(main, shortcut)
            if found is not None:
                return self._check_block(*found)
        msg = (
            f"{self.where}: what {add.label} adds is no bottleneck (convolutions 1x1, 3x3, 1x1, each with "
            "batch norm) and its shortcut; npcam runs ResNet-50, -101 and -152"
        )
        raise InputError(msg)

    def _branches(self, main: Node, shortcut: Node) -> tuple[dict[str, Node], Node] | None:
        """The layers by part, and the block's input; None if `main` is not the main branch."""
        kinds = [
            "BatchNormalization",
            "Conv2D",
            "relu",
            "BatchNormalization",
            "Conv2D",
            "relu",
            "BatchNormalization",
            "Conv2D",
        ]
        names = ["3_bn", "3_conv", "-", "2_bn", "2_conv", "-", "1_bn", "1_conv"]
        parts: dict[str, Node] = {}
        x = main
        for kind, name in zip(kinds, names, strict=True):
            if x.kind != kind and not (kind == "relu" and x.kind in ("Activation", "ReLU")):
                return None
            if kind == "relu":
                self._expect_relu(x)
            else:
                parts[name] = x
            x = self._skip(self._before(x))
        if shortcut.path != x.path:
            if shortcut.kind != "BatchNormalization":
                return None
            parts["0_bn"] = shortcut
            conv = self._skip(self._before(shortcut))
            if conv.kind != "Conv2D" or self._skip(self._before(conv)).path != x.path:
                return None
            parts["0_conv"] = conv
        return parts, x

    def _check_block(self, parts: dict[str, Node], x: Node) -> _Block:
        """Strides, kernels and paddings of a block."""
        strides = {
            name: check_conv(node, 3 if name == "2_conv" else 1, self.where)
            for name, node in parts.items()
            if name.endswith("_conv")
        }
        stride = strides["1_conv"] * strides["2_conv"]
        if (
            strides["3_conv"] != 1
            or strides.get("0_conv", 1) != stride
            or 1
            not in (
                strides["1_conv"],
                strides["2_conv"],
            )
        ):
            raise InputError(
                f"{self.where}: strides of {parts['3_conv'].label}'s block do not fit: {strides}"
            )
        return _Block(parts, stride, 2 if strides["2_conv"] > 1 else 1, x)

    def _stem(self, pool: Node) -> tuple[dict[str, Node], int, Node]:
        """(its convolution and batch norm, the padding before the pool, what it reads)."""
        if sides(pool, "pool_size", 2) != (3, 3) or sides(pool, "strides", pool.config.get("pool_size")) != (
            2,
            2,
        ):
            raise InputError(f"{self.where}: {pool.label} is not a 3x3 pool of stride 2")
        if str(pool.config.get("padding", pool.config.get("border_mode", "valid"))).lower() != "valid":
            reason = 'has padding "same", which Keras\'s ResNets do not have; its numbers would differ'
            raise InputError(f"{self.where}: {pool.label} {reason}")
        channels_last(pool, self.where)
        node, pool_padding = self._padding(self._skip(self._before(pool)))
        if pool_padding not in (0, 1):
            raise InputError(
                f"{self.where}: {pool.label} follows a padding of {pool_padding}; 0 or 1 expected"
            )
        self._expect_relu(node)
        bn = self._expect(self._skip(self._before(node)), "BatchNormalization")
        conv = self._expect(self._skip(self._before(bn)), "Conv2D")
        if check_conv(conv, 7, self.where) != 2:
            raise InputError(f"{self.where}: {conv.label} must have stride 2")
        source, padding = self._padding(self._skip(self._before(conv)))
        if padding != 3:
            raise InputError(f"{self.where}: {conv.label} follows a padding of {padding}; 3 expected")
        return {"conv1_conv": conv, "conv1_bn": bn}, pool_padding, source

    def _padding(self, node: Node) -> tuple[Node, int]:
        """(what lies before a zero padding, its width); a width of 0 where there is none."""
        if node.kind != "ZeroPadding2D":
            return node, 0
        return self._skip(self._before(node)), pads(node, self.where)

    def _name(self, blocks: list[_Block]) -> dict[str, Node]:
        """Every block's layers by Keras's names of them."""
        if not blocks or "0_conv" not in blocks[0].parts:
            raise InputError(f"{self.where}: the first residual block has no convolution in its shortcut")
        starts = [i for i, block in enumerate(blocks) if "0_conv" in block.parts] + [len(blocks)]
        counts = tuple(b - a for a, b in itertools.pairwise(starts))
        names = residual_blocks(Architecture(blocks=counts, strides=(1,) * len(counts)))
        return {
            f"{name.name}_{part}": block.parts[part]
            for name, block in zip(names, blocks, strict=True)
            for part in sorted(block.parts)
        }

    def _front(self, node: Node) -> tuple[tuple[Node, ...], tuple[int, int] | None]:
        """(the layers before the stem, the size of what they put out)."""
        ancestors = self._ancestors(node.path)
        front = tuple(
            n for path, n in self.graph.nodes.items() if path in ancestors and n.kind != "InputLayer"
        )
        inputs = [n for path, n in self.graph.nodes.items() if path in ancestors and n.kind == "InputLayer"]
        if len(inputs) != 1:
            raise InputError(f"{self.where}: {len(inputs)} inputs; a ResNet takes one photograph")
        size = _input_size(inputs[0])
        for layer in front:
            if {"height", "width"} <= layer.config.keys():
                size = (int(layer.config["height"]), int(layer.config["width"]))
            if layer.kind in ("Conv2D", "Dense", "BatchNormalization"):
                raise InputError(
                    f"{self.where}: {layer.label} before the ResNet's padding and 7x7 convolution"
                )
        return front, size

    def _before(self, node: Node) -> Node:
        """The one layer that `node` reads."""
        if len(node.inputs) != 1:
            raise InputError(f"{self.where}: {node.label} reads {len(node.inputs)} layers; 1 expected")
        return self.graph.nodes[node.inputs[0]]

    def _skip(self, node: Node) -> Node:
        """The first layer from `node` back that does something outside of training."""
        for _ in range(len(self.graph.nodes)):
            linear = node.kind == "Activation" and activation(node, self.where) == "linear"
            if node.kind not in IDENTITIES and not linear:
                return node
            node = self._before(node)
        raise InputError(f"{self.where}: layers in a circle at {node.label}")

    def _expect(self, node: Node, kind: str) -> Node:
        """`node`, if it is of that class."""
        if node.kind != kind:
            raise InputError(f"{self.where}: {node.label} where a ResNet has a {kind}")
        return node

    def _expect_relu(self, node: Node) -> None:
        """Raise InputError unless `node` is a plain ReLU."""
        if node.kind not in ("Activation", "ReLU") or activation(node, self.where) != "relu":
            function = activation(node, self.where)
            does = f" of function {function}" if function not in ("linear", "relu") else ""
            raise InputError(f"{self.where}: {node.label}{does} where a ResNet has a plain ReLU")


def _input_size(node: Node) -> tuple[int, int] | None:
    """(height, width) that an input layer declares, if any."""
    shape = node.config.get("batch_shape") or node.config.get("batch_input_shape")
    if not isinstance(shape, list) or len(shape) != 4 or not all(isinstance(n, int) for n in shape[1:3]):
        return None
    return shape[1], shape[2]
