"""A network made fast, ready to run: a batch is cut into passes, each recorded once per size."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from npcam import resnet
from npcam.common.threads import cores
from npcam.engine.blas import one_blas_thread, unpacked_products
from npcam.engine.filters import fold_network
from npcam.engine.passes import Found, Pass, record_pass
from npcam.engine.schedule import SCRATCH, Schedule, Step, list_steps, make_schedule, next_group
from npcam.engine.team import team_of
from npcam.resnet import Architecture, Outputs, Tensors
from npcam.shapes import Array, check_conv


class Engine:
    """The network, made fast. It may be called from several threads at once.

    It computes in the float type of its weights. The same input gives the same bits, whatever else
    runs. A photograph alone and the same one in a batch take different ways through the same
    arithmetic, and agree to rounding.
    """

    def __init__(self, architecture: Architecture, tensors: Tensors, *, threads: int | None = None) -> None:
        """Fold a network's weights.

        Args:
            architecture: what the weights alone do not tell.
            tensors: {layer name: {weight name: array}}, in Keras's names and layouts, all of one
                float type. They are taken as they are: `npcam.model.Model` checks and casts.
            threads: how many threads to use; None for one on each core that the process may use.
        """
        self._arch = architecture
        self._tensors = tensors
        self._features = resnet.last_activation(architecture)
        self._team = team_of(threads or cores())
        with one_blas_thread:
            self._filters = fold_network(tensors, architecture, self._team, unpacked_products())
        self._idle: list[tuple[tuple[int, int, int], Pass]] = []
        self._lock = threading.Lock()

    def run(self, x: Array, names: Sequence[str] = ()) -> Outputs:
        """Run a preprocessed batch, cut into passes where it would take too much memory.

        Args:
            x: (N, H, W, 3), of the float type of the weights.
            names: the Keras layers whose activations to return. The last activation, `avg_pool`
                and `predictions` come from the fast pass; with any other, the batch runs layer
                by layer as in `resnet`, because folding and skipping leave the others incomplete.

        Returns:
            The logits, the probabilities, and the activations by name.

        Raises:
            ValueError: `x` is no such batch. A pass copies it without looking at it again, so an
                array of other channels or numbers would be taken for photographs.
            KeyError: the network has no layer of a name.
        """
        kernel = self._tensors["conv1_conv"]["kernel"]
        check_conv(x, kernel, None, "valid")
        if x.dtype != kernel.dtype:
            raise ValueError(f"the engine computes in {kernel.dtype}; got a batch of {x.dtype}")
        fast = {self._features, "avg_pool", "predictions", "input_layer"}
        run = self._fast if fast.issuperset(names) else self._layer_by_layer
        pieces = list(run(x, names)) or [resnet.run(x, self._tensors, self._arch, names)]
        if len(pieces) == 1:
            return pieces[0]
        logits = [piece.logits for piece in pieces if piece.logits is not None]
        probabilities = [piece.probabilities for piece in pieces if piece.probabilities is not None]
        return Outputs(
            np.concatenate(logits) if logits else None,
            np.concatenate(probabilities) if probabilities else None,
            {name: np.concatenate([piece.activations[name] for piece in pieces]) for name in names},
        )

    def plan(self, photographs: int, height: int, width: int) -> list[Step]:
        """What the engine does in the first pass of so many photographs of that size, layer by layer."""
        group = next_group(photographs, height, width, self._team.size)
        return list_steps(self._schedule(group, height, width))

    def _layer_by_layer(self, x: Array, names: Sequence[str]) -> Iterator[Outputs]:
        """Every activation as it is in Keras; columns and activations take 800 bytes per pixel."""
        step = max(1, SCRATCH // (800 * x.shape[1] * x.shape[2]))
        for i in range(0, len(x), step):
            yield resnet.run(x[i : i + step], self._tensors, self._arch, names)

    def _fast(self, x: Array, names: Sequence[str]) -> Iterator[Outputs]:
        """The fast passes, one group of photographs after the other."""
        at, (height, width) = 0, x.shape[1:3]
        while at < len(x):
            group = next_group(len(x) - at, height, width, self._team.size)
            with one_blas_thread, self._recorded(group, height, width) as recorded:
                piece = x[at : at + group]
                yield self._outputs(piece, recorded.run(piece), names)
            at += group

    def _outputs(self, x: Array, found: Found, names: Sequence[str]) -> Outputs:
        """The end of the network, and copies of what was asked for."""
        kept = {"input_layer": x}
        if self._features in names:
            kept[self._features] = found.features.copy()
        if found.averages is None:
            return Outputs(None, None, {name: kept[name] for name in names})
        if "avg_pool" in names:
            kept["avg_pool"] = found.averages.copy()
        logits = sum(found.parts, self._tensors["predictions"]["bias"])
        kept["predictions"] = resnet.ACTIVATIONS[self._arch.activation or "linear"](logits)
        return Outputs(logits, kept["predictions"], {name: kept[name] for name in names})

    def _schedule(self, group: int, height: int, width: int) -> Schedule:
        """What is recorded, and printed, for such a group."""
        return make_schedule(self._filters, group, (height, width), self._team.size)

    @contextmanager
    def _recorded(self, group: int, height: int, width: int) -> Iterator[Pass]:
        """A recorded pass for such a group, for this caller alone while the context lasts."""
        key = (group, height, width)
        with self._lock:
            found = [i for i, (k, _) in enumerate(self._idle) if k == key]
            recorded = self._idle.pop(found[-1])[1] if found else None
        recorded = recorded or record_pass(self._schedule(*key), self._team)
        try:
            yield recorded
        finally:
            with self._lock:
                self._idle.append((key, recorded))
                while len(self._idle) > 1 and sum(other.nbytes for _, other in self._idle) > SCRATCH:
                    self._idle.pop(0)
