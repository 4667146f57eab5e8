"""A weights file turned into something to call."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from npcam import engine as fast
from npcam import resnet
from npcam.card import card
from npcam.common.errors import InputError
from npcam.common.tables import Table
from npcam.common.where import weights_path
from npcam.labels import Target, find_class, find_classes
from npcam.layers import LayerArrays, layers, likely_names
from npcam.preprocessing import preprocess
from npcam.resnet import Outputs
from npcam.shapes import Array
from npcam.weights import Weights, cast, check, read_only, read_weights, summary

SMALLEST = 32  # pixels; below, Keras's ResNet has nothing left to convolve


def load_model(
    path: str | Path | None = None,
    dtype: Any = np.float32,
    engine: str = "fast",
    threads: int | None = None,
) -> "Model":
    """Load a weights file, ready to run.

    Args:
        path: an npcam weights file (`npcam convert` makes one), the name of official weights that
            `npcam fetch` brought ("resnet50"), or None for the bundled model.
        dtype: float type to compute in, `numpy.float32` or `numpy.float64`.
        engine: "fast", or "reference", which runs layer by layer as Keras does. Both give the
            same numbers up to rounding.
        threads: of the fast engine; None for one on each core. Fewer leave room for other work, and
            give the same bits on every machine of a kind, however many cores it has.

    Raises:
        InputError: the file is missing, damaged or of another format, or `engine` is unknown.

    >>> load_model().class_names[:3]
    ('cassette_player', 'cat', 'chain_saw')
    """
    if np.dtype(dtype).kind != "f":
        raise InputError(f"dtype {np.dtype(dtype)}: expected a float type such as float32 or float64")
    return Model(read_weights(weights_path(path), dtype), dtype, engine, threads)


class Model:
    """A network with its weights. It holds no state between calls: one may serve many threads.

    Its arrays are read-only: `with_weights` gives a network with others. It can be pickled and copied.

    Attributes:
        weights: the arrays, the architecture and where they are from.
        dtype: the float type it computes in.
        engine: "fast" or "reference".
        threads: of the fast engine; None for one on each core.
    """

    def __init__(
        self,
        weights: Weights,
        dtype: Any = np.float32,
        engine: str = "fast",
        threads: int | None = None,
    ) -> None:
        """Make a model of weights that are in memory; `load_model` reads them from a file."""
        if engine not in ("fast", "reference"):
            raise InputError(f'engine {engine!r}: expected "fast" or "reference"')
        self.dtype = np.dtype(dtype)
        self.engine, self.threads = engine, threads
        self.weights = weights
        self._tensors = read_only(cast(weights.tensors, self.dtype))
        self._names = [layer.name for layer in layers(weights.architecture)]
        self._compiled = (
            fast.Engine(weights.architecture, self._tensors, threads=threads) if engine == "fast" else None
        )

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """One name per class, or None where the file has none."""
        return self.weights.class_names

    @property
    def classes(self) -> int:
        """How many classes it tells apart; 0 without a top."""
        return len(self._tensors["predictions"]["bias"]) if self.has_top else 0

    @property
    def has_top(self) -> bool:
        """Whether it ends in a dense layer; a backbone (`include_top=False`) does not."""
        return self.weights.architecture.activation is not None

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) that it was trained for, in pixels."""
        return self.weights.input_size

    @property
    def photo_size(self) -> tuple[int, int]:
        """(height, width) to which a photograph is resized before it is preprocessed, in pixels."""
        return self.weights.photo_size

    @property
    def gives_probabilities(self) -> bool:
        """Whether its outputs lie between 0 and 1; those of a linear top are plain values."""
        return self.weights.architecture.activation in ("softmax", "sigmoid")

    @property
    def last_activation(self) -> str:
        """The name of the maps that a class activation map sums: `conv5_block3_out` in ResNet-50."""
        return resnet.last_activation(self.weights.architecture)

    def preprocess(self, pixels: Array) -> Array:
        """What this network's author did to a photograph's pixels before the network saw them.

        Args:
            pixels: (N, H, W, 3), red, green, blue, 0 to 255, of `photo_size`; one channel where the
                network takes grey photographs.

        Returns:
            A preprocessed batch (N, H, W, 3), float32.

        Raises:
            InputError: the pixels have other channels.

        >>> load_model().preprocess(np.zeros((1, 224, 224, 3), np.uint8))[0, 0, 0].tolist()
        [-103.93900299072266, -116.77899932861328, -123.68000030517578]
        """
        return preprocess(pixels, self.weights.preprocessing)

    def predict(self, x: Array) -> Array:
        """Classify a preprocessed batch: (N, H, W, 3) -> probabilities (N, classes).

        Where the top is linear they are no probabilities but its plain values (`gives_probabilities`).

        Raises:
            InputError: `x` is not such a batch, or the network has no top.

        >>> x = np.zeros((1, 224, 224, 3), np.float32)
        >>> load_model().predict(x).shape
        (1, 14)
        """
        self.require_top("tell classes apart")
        probabilities = self.run(x).probabilities
        assert probabilities is not None
        return probabilities

    def logits(self, x: Array) -> Array:
        """What the dense layer puts out before the softmax: (N, H, W, 3) -> (N, classes)."""
        self.require_top("tell classes apart")
        logits = self.run(x).logits
        assert logits is not None
        return logits

    def activations(self, x: Array, names: str | Sequence[str] | None = None) -> dict[str, Array]:
        """The activations of a preprocessed batch, by Keras layer name.

        Args:
            x: (N, H, W, 3).
            names: one name, several, or None for every layer.

        Returns:
            {name: array}, in the network's order for None, else in the order asked for.

        Raises:
            InputError: `x` is not a preprocessed batch, or a name is unknown.

        >>> x = np.zeros((1, 64, 96, 3), np.float32)
        >>> load_model().activations(x, "conv1_relu")["conv1_relu"].shape
        (1, 32, 48, 16)
        """
        wanted = self._names if names is None else [names] if isinstance(names, str) else list(names)
        for name in wanted:
            self._require_layer(name)
        return self.run(x, wanted).activations

    def run(self, x: Array, names: Sequence[str] = ()) -> Outputs:
        """Logits, probabilities and activations from one pass."""
        x = self._checked(x)
        if self._compiled is not None:
            return self._compiled.run(x, names)
        return resnet.run(x, self._tensors, self.weights.architecture, names)

    def with_weights(self, changed: Mapping[str, Mapping[str, Array]]) -> "Model":
        """The same network with some of its weights replaced; this one stays as it is.

        Args:
            changed: {Keras layer name: {weight name: array}}, of the shapes that are there.

        Raises:
            InputError: there is no such layer or weight, or an array has another shape or is not finite.

        >>> model = load_model()
        >>> bias = model.weights.tensors["predictions"]["bias"]
        >>> shifted = model.with_weights({"predictions": {"bias": bias + 1}})
        >>> x = np.zeros((1, 224, 224, 3), np.float32)
        >>> float(np.mean(shifted.logits(x) - model.logits(x)).round(3))
        1.0
        """
        tensors = {layer: dict(arrays) for layer, arrays in self.weights.tensors.items()}
        for layer, arrays in changed.items():
            for name, array in arrays.items():
                if name not in tensors.get(layer, {}):
                    raise InputError(f"with_weights: the network has no {layer}/{name}; see model.summary()")
                tensors[layer][name] = np.asarray(array, tensors[layer][name].dtype)
        weights = replace(self.weights, tensors=tensors)
        check(weights, "with_weights")
        return Model(weights, self.dtype, self.engine, self.threads)

    def __reduce__(self) -> tuple[Any, ...]:
        """How to copy it or send it to another process: the engine is made anew there."""
        return Model, (self.weights, self.dtype, self.engine, self.threads)

    def class_index(self, target: int | str) -> int:
        """The index of the class that a person means by an index, a name or a WordNet id.

        Raises:
            InputError: no class is meant, or several; the candidates are listed.

        >>> load_model().class_index("golf ball")
        9
        """
        return find_class(target, self.class_names, self.classes, self.weights.wnids)

    def class_indices(self, targets: Target | Sequence[Target], logits: Array | None = None) -> list[int]:
        """The indices of several classes, each once; "top3" are those of the three largest logits."""
        logits = np.zeros(self.classes) if logits is None else logits
        return find_classes(targets, logits, self.class_names, self.weights.wnids)

    def class_weights(self, index: int) -> tuple[Array, float]:
        """The weights w_k of one class, (K,), and its bias."""
        self.require_top("explain a class")
        top = self._tensors["predictions"]
        return top["kernel"][:, index], float(top["bias"][index])

    def require_top(self, purpose: str) -> None:
        """Raise InputError where the network has no dense layer."""
        if not self.has_top:
            network = f"the network of {self.weights.source}" if self.weights.source else "this network"
            raise InputError(f"{network} has no top (include_top=False), so it cannot {purpose}")

    def layer(self, name: str) -> LayerArrays:
        """A layer with its weights: `model.layer("conv1_conv").kernel`.

        Args:
            name: Keras's name of it.

        Raises:
            InputError: no layer has that name.

        >>> load_model().layer("conv1_conv")
        conv1_conv (Conv2D): kernel (7, 7, 3, 16), bias (16,)
        """
        self._require_layer(name)
        table = layers(self.weights.architecture)
        return LayerArrays(table[self._names.index(name)], self._tensors.get(name, {}))

    def _require_layer(self, name: str) -> None:
        """Raise InputError, with names like it, unless the network has a layer of that name."""
        if name not in self._names:
            raise InputError(f"no layer is called {name!r}; {likely_names(name, self._names)}")

    def summary(self) -> str:
        """The table that Keras's `model.summary()` prints, as text; a notebook shows it line by line.

        >>> print(load_model().summary().splitlines()[-3])
        Total params: 1,508,078 (5.75 MB)
        """
        return Table(summary(self.weights))

    def plan(self, photographs: int = 1) -> str:
        """What the fast engine does for so many photographs at once, as a table: how it computes
        each convolution, and how its threads share it.

        Raises:
            InputError: the model runs on the reference engine, which has no plan.

        >>> print(load_model().plan().splitlines()[2][:40])
        conv1_conv           7x7 by im2col, ReLU
        """
        if self._compiled is None:
            raise InputError('the reference engine has no plan; load the model with engine="fast"')
        return Table(fast.format_steps(self._compiled.plan(photographs, *self.input_size)))

    def _repr_html_(self) -> str:
        """What a notebook shows of it: a card of what it is, and where from."""
        return card(self.weights, f"{self.dtype}, engine {self.engine}")

    def _checked(self, x: Array) -> Array:
        """The batch in the model's dtype, or InputError."""
        x = np.asarray(x)
        if x.ndim != 4 or x.shape[3] != 3 or min(x.shape[1:3]) < SMALLEST:
            found = f"got shape {x.shape}"
            raise InputError(
                f"expected a batch (N, H, W, 3) of pictures from {SMALLEST}x{SMALLEST} up, {found}"
            )
        if x.dtype.kind != "f":
            msg = f"expected a preprocessed batch of floats, got {x.dtype}; apply model.preprocess first"
            raise InputError(msg)
        return x.astype(self.dtype, copy=False)
