"""The training steps of `train_bundled.py` taken by Keras, on any of its backends."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import keras
import numpy as np
from bundled.batches import Batch
from bundled.network import (
    BN_MOMENTUM,
    Arrays,
    build_keras,
    corners_matrix,
    extent_loss,
    keras_arrays,
    set_keras_arrays,
)
from keras import ops

from npcam import InputError


class MapsAndLogits(keras.Model):
    """A network that gives logits and the maps of all classes, and learns from labels and boxes."""

    def __init__(self, network: keras.Model, box_weight: float) -> None:
        super().__init__()
        self.network = network
        last = [network.get_layer(name).output for name in ("conv5_block3_out", "avg_pool")]
        self.body = keras.Model(network.inputs, last)
        self.box_weight = box_weight
        self.measured = {name: keras.metrics.Mean(name=name) for name in ("classes", "boxes", "right")}

    def call(self, x: Any, training: bool = False) -> dict[str, Any]:
        """(N, H, W, 3) -> logits (N, classes) and maps (N, h, w, classes), sum_k w_k^c f_k."""
        features, pooled = self.body(x, training=training)
        dense = self.network.get_layer("predictions")
        logits = ops.matmul(pooled, dense.kernel) + dense.bias
        return {"logits": logits, "maps": ops.matmul(features, dense.kernel)}

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002
        """Cross entropy, plus the box loss where a batch has boxes."""
        logits, labels = y_pred["logits"], y["labels"]
        masks, boxed = (ops.convert_to_tensor(y[name]) for name in ("masks", "boxed"))  # arrays on PyTorch
        classes = ops.mean(ops.categorical_crossentropy(y["targets"], logits, from_logits=True))
        chosen = ops.one_hot(labels, logits.shape[1])[:, None, None, :]
        grid = enlarge(ops.sum(y_pred["maps"] * chosen, -1), masks.shape[1])
        boxes = extent_loss(ops, grid, masks, boxed)
        right = ops.mean(ops.cast(ops.equal(ops.argmax(logits, 1), labels), "float32"))
        for name, value in (("classes", classes), ("boxes", boxes), ("right", right)):
            self.measured[name].update_state(value)
        return classes + self.box_weight * boxes


def enlarge(maps: Any, size: int) -> Any:
    """What of (N, h, w) is positive, bilinearly and with corners aligned: (N, size, size)."""
    down, across = (ops.convert_to_tensor(corners_matrix(n, size)) for n in maps.shape[1:])
    return ops.matmul(ops.matmul(down, ops.relu(maps)), ops.transpose(across))


class KerasLearner:
    """The network while it learns; see `loop.Learner`. It computes in float32."""

    def __init__(self, args: Namespace, starting: Arrays) -> None:
        if args.optimizer == "muon":
            raise InputError(
                "--optimizer muon: Keras has none for convolutions; with --trainer keras use adamw"
            )
        if args.precision == "bfloat16":
            raise InputError("--precision bfloat16: --trainer keras computes in float32")
        self._args = args
        self._shape = (starting["predictions/bias"].size, args.width, args.last_stride)
        self._network = self._build(starting)
        self._model = MapsAndLogits(self._network, args.box_weight)
        options = {"weight_decay": args.decay, "epsilon": 1e-8, "global_clipnorm": args.clip}
        optimizer = keras.optimizers.AdamW(args.rate, **options)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        optimizer.build(self._network.trainable_variables)
        self._model.compile(optimizer=optimizer)
        self._optimizer = optimizer
        self._average = keras_arrays(self._network)
        self._averaged = MapsAndLogits(build_keras(*self._shape), 0)

    def step(self, batch: Batch, rate: float) -> tuple[float, float, float]:
        """One update; the loss, the box loss (NaN without boxes) and the share of right answers."""
        self._optimizer.learning_rate = rate
        self._model.reset_metrics()
        y = {
            "targets": batch.targets,
            "labels": batch.labels,
            "masks": batch.masks,
            "boxed": batch.boxed.astype(np.float32),
        }
        found = self._model.train_on_batch(batch.x, y, return_dict=True)
        box = float(found["boxes"]) if batch.boxed.any() else float("nan")
        return float(found["classes"]), box, float(found["right"])

    def update_average(self, keep: float) -> None:
        """Move the averages towards the weights; `keep` is what stays, 0..1."""
        for name, array in keras_arrays(self._network).items():
            self._average[name] += np.float32(1 - keep) * (array - self._average[name])

    def predict(self, x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, classes) and the maps (N, h, w) of the labels, from the averaged weights."""
        set_keras_arrays(self._averaged.network, self._average)
        found = self._averaged(x, training=False)
        logits, maps = (ops.convert_to_numpy(found[name]) for name in ("logits", "maps"))
        return logits, maps[np.arange(len(labels)), :, :, labels]

    def state(self) -> dict[str, Arrays]:
        """All that a checkpoint needs: weights, average and the optimizer's state."""
        remembered = {
            str(index): ops.convert_to_numpy(variable)
            for index, variable in enumerate(self._optimizer.variables)
        }
        return {"weights": keras_arrays(self._network), "average": self._average, "optimizer": remembered}

    def restore(self, state: dict[str, Arrays]) -> None:
        """The way back."""
        set_keras_arrays(self._network, state["weights"])
        self._average = state["average"]
        for index, variable in enumerate(self._optimizer.variables):
            variable.assign(state["optimizer"][str(index)])

    def _build(self, arrays: Arrays) -> keras.Model:
        """A network of its own, with the training's momentum, that holds these weights."""
        network = build_keras(*self._shape)
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = BN_MOMENTUM
        set_keras_arrays(network, arrays)
        return network
