"""The table of layers that Keras's `model.summary()` prints, as plain text."""

from npcam.common.tables import align
from npcam.layers import Layer, layers, output_shapes
from npcam.weights.tensors import Weights

HEADINGS = ("Layer (type)", "Output Shape", "Param #", "Connected to")


def summary(weights: Weights) -> str:
    """The layers in Keras's order, with output shapes and parameter counts, and the totals."""
    filters = {
        name: arrays["kernel"].shape[-1] for name, arrays in weights.tensors.items() if "kernel" in arrays
    }
    shapes = output_shapes(weights.architecture, filters, weights.input_size)
    table = layers(weights.architecture)
    counts = {name: sum(a.size for a in arrays.values()) for name, arrays in weights.tensors.items()}
    rows = [_row(layer, shapes[layer.name], counts.get(layer.name, 0)) for layer in table]
    total = sum(counts.values())
    fixed = sum(
        arrays[name].size
        for arrays in weights.tensors.values()
        for name in ("moving_mean", "moving_variance")
        if name in arrays
    )
    totals = [
        f"Total params: {total:,} ({megabytes(total)})",
        f"Trainable params: {total - fixed:,} ({megabytes(total - fixed)})",
        f"Non-trainable params: {fixed:,} ({megabytes(fixed)})",
    ]
    return "\n".join([align([HEADINGS, *rows], right=[2], rules=[0, len(rows)]), *totals])


def megabytes(parameters: int) -> str:
    """The room that so many float32 numbers take, in the units Keras uses.

    >>> megabytes(25_636_712), megabytes(53_120)
    ('97.80 MB', '207.50 KB')
    """
    size, unit = parameters * 4.0, "B"
    for larger in ("KB", "MB", "GB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.2f} {unit}"


def _row(layer: Layer, shape: tuple[int | None, ...], parameters: int) -> tuple[str, str, str, str]:
    """One line of the table."""
    return f"{layer.name} ({layer.kind})", str(shape), f"{parameters:,}", ", ".join(layer.inputs) or "-"
