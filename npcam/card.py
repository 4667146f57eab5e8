"""What a notebook shows of a network: what it is, and where from."""

from npcam.common import html
from npcam.labels import as_written
from npcam.weights import Weights, tensors_sha256

NAMES = 20  # classes that a card lists


def card(weights: Weights, computes_in: str) -> str:
    """A network in a few rows, as HTML; every name in it is escaped.

    Args:
        weights: the network at rest.
        computes_in: what it is computed in, in words.

    >>> from npcam.model import load_model
    >>> "ResNet-50, 1,508,078 parameters" in card(load_model().weights, "float32")
    True
    """
    height, width = weights.input_size
    top = weights.tensors.get("predictions")
    names = [as_written(name) for name in weights.class_names or ()]
    listed = ": " + ", ".join(names[:NAMES]) + (", ..." if len(names) > NAMES else "") if names else ""
    rows = [
        ("network", network_in_words(weights)),
        ("classes", f"{len(top['bias'])}{listed}" if top else "none: a backbone"),
        ("input", f"{height}x{width} pixels, preprocessing {weights.preprocessing.name}"),
        ("computes in", computes_in),
        ("from", weights.source or "not said"),
        ("SHA-256 of the weights", tensors_sha256(weights.tensors)),
        *[("assumed", note) for note in weights.assumptions],
    ]
    return html.table(rows)


def network_in_words(weights: Weights) -> str:
    """Which ResNet it is, and how large.

    >>> from npcam.model import load_model
    >>> network_in_words(load_model().weights)
    'ResNet-50, 1,508,078 parameters'
    """
    parameters = sum(array.size for arrays in weights.tensors.values() for array in arrays.values())
    return f"ResNet-{3 * sum(weights.architecture.blocks) + 2}, {parameters:,} parameters"
