"""A Keras model's configuration, of any version of Keras, as one flat graph of layers.

The configuration is the JSON that lies beside the weights. Nothing of it is ever run: classes are
compared by name, functions too, and nested models are unrolled. What is left is a graph of plain
layers, which `recognise` compares with a ResNet.
"""

import re
from typing import Any, NamedTuple

from npcam.common.errors import InputError
from npcam.common.limits import MAX_KERAS_LAYERS, MAX_KERAS_NESTING
from npcam.keras_files.calls import parse_call, tensors_in, with_paths
from npcam.keras_files.classes import check_class
from npcam.keras_files.graph import Call, Config, Graph, LayerPath, Node, Tensor, reading_config
from npcam.keras_files.settings import check_floats

KERAS1 = {"Convolution2D": "Conv2D"}  # classes that have another name since
SAME = {  # classes that compute what another does
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
}
MODELS = ("Functional", "Model", "Sequential", "Pipeline")  # "Model" is Keras 2.0's name of Functional
IN_ORDER = ("Sequential", "Pipeline")  # of layers that follow each other


class _Scope(NamedTuple):
    """One model of the nest, its layers' raw configurations, and where it is called."""

    path: LayerPath
    layers: dict[str, Config]
    inputs: list[str]
    outputs: list[tuple[str, int]]
    sequential: bool


def read_graph(config: Any, where: str) -> Graph:
    """Unroll a model's configuration into one flat graph.

    Args:
        config: the parsed JSON: `config.json` of a `.keras` file, `model_config` of an HDF5 file.
        where: the file's name, for messages.

    Raises:
        InputError: it is not a Functional or Sequential model, is too large, or contradicts itself.
    """
    with reading_config(where):
        return _Reader(where).read(config)


class _Reader:
    """Collects the scopes first, then connects their layers."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.scopes: dict[LayerPath, _Scope] = {}
        self.count = 0
        self.nodes: dict[LayerPath, Node] = {}

    def read(self, config: Any) -> Graph:
        """The whole configuration, as a graph."""
        self._collect((), (), config, trainable=True)
        root = self.scopes[()]
        nodes = {}
        for path, node in self.nodes.items():
            call = self._resolved(path)
            nodes[path] = node._replace(call=call, inputs=tuple(t.path for t in tensors_in(call)))
        self._check_order(nodes)
        return Graph(nodes, tuple(self._resolve(root, name, index).path for name, index in root.outputs))

    def _check_order(self, nodes: dict[LayerPath, Node]) -> None:
        """Raise InputError where layers read each other in a circle."""
        waiting = {path: len(node.inputs) for path, node in nodes.items()}
        readers: dict[LayerPath, list[LayerPath]] = {path: [] for path in nodes}
        for path, node in nodes.items():
            for source in node.inputs:
                readers[source].append(path)
        ready = [path for path, count in waiting.items() if not count]
        while ready:
            path = ready.pop()
            del waiting[path]
            for reader in readers[path]:
                waiting[reader] -= 1
                if not waiting[reader]:
                    ready.append(reader)
        if waiting:
            raise InputError(f"{self.where}: layer {'/'.join(min(waiting))} reads itself, by way of others")

    def _collect(self, path: LayerPath, slot: LayerPath, config: Config, trainable: bool) -> None:
        """Register a model's layers, and those of the models in it."""
        name = "/".join(path) or "the model"
        if config.get("class_name") not in MODELS or "layers" not in _settings(config):
            msg = (
                f"{self.where}: {name} is of class {config.get('class_name')!r}; npcam reads Functional and "
                "Sequential models, whose configuration says what they compute"
            )
            raise InputError(msg)
        check_class(config, name, self.where)
        if len(path) > MAX_KERAS_NESTING:
            raise InputError(f"{self.where}: models nested more than {MAX_KERAS_NESTING} deep; unpack them")
        settings = _settings(config)
        entries = settings["layers"]
        self.count += len(entries)
        if self.count > MAX_KERAS_LAYERS:
            raise InputError(f"{self.where}: more than {MAX_KERAS_LAYERS} layers; no ResNet has as many")
        sequential = config["class_name"] in IN_ORDER
        layers: dict[str, Config] = {}
        numbers: dict[str, int] = {}
        frozen = not settings.get("trainable", True)
        for entry in entries:
            label = str(entry.get("name") or entry["config"].get("name") or f"layer_{len(layers)}")
            if label in layers:
                raise InputError(f"{self.where}: two layers of {name} are named {label}; rename one")
            layers[label] = entry
            kind = KERAS1.get(str(entry["class_name"]), str(entry["class_name"]))
            number = numbers.setdefault(_snake_case(kind), 0)
            numbers[_snake_case(kind)] += 1
            inner = (*slot, _snake_case(kind) + (f"_{number}" if number else ""))
            trains = trainable and not frozen and bool(_settings(entry).get("trainable", True))
            if "layers" in _settings(entry):
                self._collect((*path, label), inner, entry, trains)
            else:
                if kind == "Lambda":
                    reason = "is Python code kept in the file, which npcam never runs"
                    raise InputError(
                        f"{self.where}: layer {label} (Lambda) {reason}; take it out of the model"
                    )
                node = Node((*path, label), inner, SAME.get(kind, kind), _settings(entry), (), Call(), trains)
                check_class(entry, node.label, self.where)
                check_floats(node, self.where)
                self.nodes[node.path] = node
        self.scopes[path] = self._scope(path, slot, settings, layers, sequential)

    def _scope(
        self, path: LayerPath, slot: LayerPath, settings: Config, layers: dict[str, Config], sequential: bool
    ) -> _Scope:
        """A model's own inputs and outputs."""
        if not layers:
            raise InputError(f"{self.where}: {'/'.join(path) or 'the model'} has no layers")
        if not sequential:
            inputs = [name for name, _ in _tensors(settings["input_layers"])]
            return _Scope(path, layers, inputs, _tensors(settings["output_layers"]), sequential)
        first, last = next(iter(layers)), list(layers)[-1]
        if layers[first]["class_name"] != "InputLayer":
            # Older Sequentials keep the input's shape in the first layer or beside the layers.
            shape = _settings(layers[first]).get("batch_input_shape") or settings.get("build_input_shape")
            first = "input"
            entry = {"class_name": "InputLayer", "config": {"batch_shape": shape, "name": first}}
            layers = {first: entry, **layers}
            node = Node((*path, first), (*slot, first), "InputLayer", entry["config"], (), Call(), True)  # type: ignore[arg-type]
            self.nodes[node.path] = node
        return _Scope(path, layers, [first], [(last, 0)], sequential)

    def _resolved(self, path: LayerPath) -> Call:
        """How a leaf layer is called, with other leaf layers' outputs as tensors."""
        scope, name = self.scopes[path[:-1]], path[-1]
        call = self._call(scope, name)
        return with_paths(  # type: ignore[no-any-return]
            call, {t: self._resolve(scope, t.path[0], t.output) for t in tensors_in(call)}
        )

    def _call(self, scope: _Scope, name: str) -> Call:
        """How a layer or model is called, with tensors by names of its own scope."""
        if scope.sequential:
            names = list(scope.layers)
            at = names.index(name)
            return Call((Tensor((names[at - 1],)),)) if at else Call()
        calls = scope.layers[name].get("inbound_nodes", [])
        if len(calls) > 1:
            label = "/".join((*scope.path, name))
            raise InputError(
                f"{self.where}: layer {label} is used {len(calls)} times; a ResNet uses each once"
            )
        return parse_call(calls[0]) if calls else Call()

    def _resolve(self, scope: _Scope, name: str, index: int) -> Tensor:
        """The leaf layer behind a tensor: into nested models through their outputs, out by their inputs."""
        for _ in range(4 * MAX_KERAS_NESTING):
            path = (*scope.path, name)
            if path in self.scopes:
                scope = self.scopes[path]
                name, index = scope.outputs[index]
            elif name in scope.inputs and scope.path:
                at, name = scope.inputs.index(name), scope.path[-1]
                scope = self.scopes[scope.path[:-1]]
                source = list(tensors_in(self._call(scope, name)))[at]
                name, index = source.path[0], source.output
            elif path in self.nodes:
                return Tensor(path, index)
            else:
                raise InputError(f"{self.where}: a layer reads {'/'.join(path)}, which is not there")
        raise InputError(f"{self.where}: models nested in a circle")


def _settings(entry: Config) -> Config:
    """A layer's own settings. Keras 1 has a Sequential's layers there, as a bare list."""
    settings = entry["config"]
    return {"layers": settings} if isinstance(settings, list) else settings


def _snake_case(name: str) -> str:
    """Keras's way from a class's name to a group's.

    >>> _snake_case("Conv2D"), _snake_case("GlobalAveragePooling2D"), _snake_case("ReLU")
    ('conv2d', 'global_average_pooling2d', 're_lu')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()


def _tensors(value: Any) -> list[tuple[str, int]]:
    """Keras's lists of tensors, `[["a", 0, 0]]` or `["a", 0, 0]`, as (layer, output) pairs."""
    if isinstance(value, dict):
        value = list(value.values())
    if value and isinstance(value[0], str):
        value = [value]
    return [(str(name), int(index)) for name, _, index, *_ in value]
