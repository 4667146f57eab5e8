"""Walking a Keras model's graph backwards, from its output to its input."""

from collections.abc import Collection

from npcam.common.errors import InputError
from npcam.keras_files.graph import Graph, LayerPath, Node
from npcam.keras_files.operations import argument, operation
from npcam.keras_files.settings import activation, trains_always

# Layers and operations that do nothing outside of training.
IDENTITIES = (
    "ActivityRegularization",
    "AlphaDropout",
    "AugMix",
    "CutMix",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHeight",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomWidth",
    "RandomZoom",
    "SpatialDropout2D",
    "StopGradient",
)
RELUS = ("Activation", "ReLU", "Relu")  # layers, and Keras 3's operation, that may be a plain ReLU
FLOATS = ("float32", "float64")  # what a cast to changes nothing that npcam's own float32 does not


class Walk:
    """A graph to walk through; each step returns a layer, or raises an InputError that names one."""

    def __init__(self, graph: Graph, where: str) -> None:
        self.graph = graph
        self.where = where

    def error(self, node: Node, reason: str) -> InputError:
        """The exception to raise: it names the file, the layer and the reason."""
        return InputError(f"{self.where}: {node.label} {reason}")

    def output(self) -> Node:
        """The layer that everything else leads to, where a model puts out several."""
        outputs = set(self.graph.outputs)
        for last in sorted(outputs):
            if outputs <= self.ancestors(last):
                return self.skip(self.graph.nodes[last])
        names = ", ".join("/".join(path) for path in sorted(outputs))
        raise InputError(f"{self.where}: outputs {names} do not lie on one path; npcam runs one classifier")

    def ancestors(self, path: LayerPath) -> set[LayerPath]:
        """A layer and all that it depends on."""
        seen: set[LayerPath] = set()
        todo = [path]
        while todo:
            if (path := todo.pop()) not in seen:
                seen.add(path)
                todo += self.graph.nodes[path].inputs
        return seen

    def before(self, node: Node) -> Node:
        """The one layer that `node` reads, behind any that do nothing outside of training."""
        if len(node.inputs) != 1:
            raise self.error(node, f"reads {len(node.inputs)} layers; 1 expected")
        return self.skip(self.graph.nodes[node.inputs[0]])

    def sources(self, node: Node) -> list[Node]:
        """The layers that `node` reads, behind any that do nothing outside of training."""
        return [self.skip(self.graph.nodes[path]) for path in node.inputs]

    def skip(self, node: Node) -> Node:
        """The first layer from `node` back that does something outside of training."""
        while self.passes(node):
            node = self.graph.nodes[node.inputs[0]]  # the graph has no circles
        return node

    def passes(self, node: Node) -> bool:
        """Whether a layer hands on, outside of training, the one thing that it reads as it is."""
        kind = operation(node)
        does_nothing = (
            kind in IDENTITIES
            or (kind == "Activation" and activation(node, self.where) == "linear")
            or (kind == "Cast" and argument(node, 1, "dtype") in FLOATS)
        )
        if does_nothing and trains_always(node):
            raise self.error(node, "was called with training=True: no two runs give the same numbers")
        if does_nothing and len(node.inputs) != 1:
            raise self.error(node, f"reads {len(node.inputs)} layers; 1 expected")
        return does_nothing

    def in_order(self, last: LayerPath, ends: Collection[LayerPath] = ()) -> list[Node]:
        """The layers that lead to `last`, each after those that it reads; none that lead to `ends`."""
        ordered: dict[LayerPath, Node] = {}
        todo = [last]
        while todo:
            node = self.graph.nodes[todo[-1]]
            waiting = [] if node.path in ends else [path for path in node.inputs if path not in ordered]
            if waiting:
                todo += waiting
            else:
                ordered[node.path] = node
                todo.pop()
        return list(ordered.values())

    def expect(self, node: Node, kind: str) -> Node:
        """`node`, if it is of that class."""
        if node.kind != kind:
            raise self.error(node, f"where a ResNet has a {kind}")
        return node

    def expect_relu(self, node: Node) -> Node:
        """`node`, if it is a plain ReLU."""
        if operation(node) not in RELUS:
            raise self.error(node, "where a ResNet has a ReLU")
        if not self.is_relu(node):
            function = activation(node, self.where)
            raise self.error(node, f"of function {function} where a ResNet has a plain ReLU")
        return node

    def is_relu(self, node: Node) -> bool:
        """Whether a layer or operation is a plain ReLU."""
        kind = operation(node)
        return kind == "Relu" or (kind in RELUS and activation(node, self.where) == "relu")
