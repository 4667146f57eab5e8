"""A Keras model's configuration, of any version of Keras, as one flat graph of layers.

The configuration is the JSON that lies beside the weights. Nothing of it is ever run: classes are
compared by name, functions too, and nested models are unrolled, so that what is left is a graph of
plain layers that `keras_graph` can hold against the ResNet it is to be.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from npcam.common.errors import InputError
from npcam.common.limits import MAX_JSON, MAX_KERAS_LAYERS, MAX_KERAS_NESTING
from npcam.keras_files.calls import extras, histories, tensors

Config = dict[str, Any]
Path = tuple[str, ...]  # names of layers, from the outermost model in

KERAS1 = {"Convolution2D": "Conv2D"}  # classes that have another name since
MODELS = ("Functional", "Model", "Sequential")  # "Model" is Keras 2.0's name of Functional


class Node(NamedTuple):
    """One layer of the flat graph.

    Attributes:
        path: its name, after those of the models it is nested in.
        slot: the names that a `.weights.h5` gives the same path: class and number, `conv2d_3`.
        kind: its Keras class.
        config: its settings.
        inputs: paths of the layers that it reads.
        call: what it was called with besides these: `training`, or a constant.
        trainable: False if it, or a model it is nested in, was frozen.
    """

    path: Path
    slot: Path
    kind: str
    config: Config
    inputs: tuple[Path, ...]
    call: tuple[Any, ...]
    trainable: bool

    @property
    def label(self) -> str:
        """How messages name it: `resnet50/conv1_conv (Conv2D)`."""
        return f"{'/'.join(self.path)} ({self.kind})"


class Graph(NamedTuple):
    """Every layer by its path, in the order of the file, and those that the model puts out."""

    nodes: dict[Path, Node]
    outputs: tuple[Path, ...]


class _Scope(NamedTuple):
    """One model of the nest, its layers' raw configurations, and where it is called."""

    path: Path
    layers: dict[str, Config]
    inputs: list[str]
    outputs: list[tuple[str, int]]
    sequential: bool


def parse_json(text: bytes | str, where: str) -> Any:
    """Parse JSON from a stranger.

    Raises:
        InputError: too long, nested too deeply, or no JSON.

    >>> parse_json(b'{"a": 1}', "config.json")
    {'a': 1}
    """
    if len(text) > MAX_JSON:
        raise InputError(f"{where}: {len(text)} bytes of JSON, {MAX_JSON} at most; no ResNet needs that")
    try:
        return json.loads(text)
    except RecursionError:
        raise InputError(f"{where}: JSON nested too deeply; no Keras model is") from None
    except ValueError as error:
        raise InputError(f"{where}: damaged JSON ({error}); save the model again") from error


def read_graph(config: Any, where: str) -> Graph:
    """Unroll a model's configuration into one flat graph.

    Args:
        config: the parsed JSON: `config.json` of a `.keras` file, `model_config` of an HDF5 file.
        where: the file's name, for messages.

    Raises:
        InputError: not a Functional or Sequential model, too large, or not consistent in itself.
    """
    with reading_config(where):
        return _Reader(where).read(config)


@contextmanager
def reading_config(where: str) -> Iterator[None]:
    """Turn whatever trips over a setting of another type than Keras writes into one line."""
    try:
        yield
    except RecursionError:
        raise InputError(f"{where}: the model's configuration is nested too deeply") from None
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        if isinstance(error, InputError):
            raise
        msg = f"{where}: the model's configuration is not one that Keras writes ({error!r}); save it again"
        raise InputError(msg) from error


class _Reader:
    """Collects the scopes first, then connects their layers."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.scopes: dict[Path, _Scope] = {}
        self.count = 0
        self.nodes: dict[Path, Node] = {}

    def read(self, config: Any) -> Graph:
        """The whole of it."""
        self._collect((), (), config, trainable=True)
        root = self.scopes[()]
        nodes = {path: node._replace(inputs=self._inputs(path)) for path, node in self.nodes.items()}
        self._check_order(nodes)
        return Graph(nodes, tuple(self._resolve(root, name, index) for name, index in root.outputs))

    def _check_order(self, nodes: dict[Path, Node]) -> None:
        """Raise InputError where layers read each other in a circle."""
        waiting = {path: len(node.inputs) for path, node in nodes.items()}
        readers: dict[Path, list[Path]] = {path: [] for path in nodes}
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

    def _collect(self, path: Path, slot: Path, config: Config, trainable: bool) -> None:
        """Register a model's layers, and those of the models in it."""
        name = "/".join(path) or "the model"
        if config.get("class_name") not in MODELS or "layers" not in _settings(config):
            msg = (
                f"{self.where}: {name} is of class {config.get('class_name')!r}; npcam reads Functional and "
                "Sequential models, whose configuration says what they compute"
            )
            raise InputError(msg)
        if len(path) > MAX_KERAS_NESTING:
            raise InputError(f"{self.where}: models nested more than {MAX_KERAS_NESTING} deep; unpack them")
        settings = _settings(config)
        entries = settings["layers"]
        self.count += len(entries)
        if self.count > MAX_KERAS_LAYERS:
            raise InputError(f"{self.where}: more than {MAX_KERAS_LAYERS} layers; no ResNet has as many")
        sequential = config["class_name"] == "Sequential"
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
                calls = [] if sequential else entry.get("inbound_nodes", [])
                extra = tuple(extras(calls[0])) if len(calls) == 1 else ()
                self.nodes[(*path, label)] = Node(
                    (*path, label), inner, kind, _settings(entry), (), extra, trains
                )
        self.scopes[path] = self._scope(path, slot, settings, layers, sequential)

    def _scope(
        self, path: Path, slot: Path, settings: Config, layers: dict[str, Config], sequential: bool
    ) -> _Scope:
        """A model's own inputs and outputs."""
        if not layers:
            raise InputError(f"{self.where}: {'/'.join(path) or 'the model'} has no layers")
        if not sequential:
            inputs = [name for name, _ in tensors(settings["input_layers"])]
            return _Scope(path, layers, inputs, tensors(settings["output_layers"]), sequential)
        first, last = next(iter(layers)), list(layers)[-1]
        if layers[first]["class_name"] != "InputLayer":
            # Older Sequentials keep the input's shape in the first layer or beside the layers.
            shape = _settings(layers[first]).get("batch_input_shape") or settings.get("build_input_shape")
            first = "input"
            entry = {"class_name": "InputLayer", "config": {"batch_shape": shape, "name": first}}
            layers = {first: entry, **layers}
            node = Node((*path, first), (*slot, first), "InputLayer", entry["config"], (), (), True)  # type: ignore[arg-type]
            self.nodes[node.path] = node
        return _Scope(path, layers, [first], [(last, 0)], sequential)

    def _inputs(self, path: Path) -> tuple[Path, ...]:
        """The leaf layers that a leaf layer reads."""
        scope, name = self.scopes[path[:-1]], path[-1]
        return tuple(self._resolve(scope, source, index) for source, index in self._sources(scope, name))

    def _sources(self, scope: _Scope, name: str) -> list[tuple[str, int]]:
        """What a layer or model reads, by names of its own scope."""
        if scope.sequential:
            names = list(scope.layers)
            at = names.index(name)
            return [(names[at - 1], 0)] if at else []
        calls = scope.layers[name].get("inbound_nodes", [])
        if len(calls) > 1:
            label = "/".join((*scope.path, name))
            raise InputError(
                f"{self.where}: layer {label} is used {len(calls)} times; a ResNet uses each once"
            )
        return list(histories(calls[0])) if calls else []

    def _resolve(self, scope: _Scope, name: str, index: int) -> Path:
        """The leaf layer behind a tensor: into nested models through their outputs, out by their inputs."""
        for _ in range(4 * MAX_KERAS_NESTING):
            path = (*scope.path, name)
            if path in self.scopes:
                scope = self.scopes[path]
                name, index = scope.outputs[index]
            elif name in scope.inputs and scope.path:
                at, name = scope.inputs.index(name), scope.path[-1]
                scope = self.scopes[scope.path[:-1]]
                name, index = self._sources(scope, name)[at]
            elif path in self.nodes:
                return path
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
