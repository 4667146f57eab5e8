"""From a Keras file to npcam's own: read, check, write."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from npcam.common.files import require_apart
from npcam.convert.class_names import ClassNames, read_class_names
from npcam.keras_files import read_keras
from npcam.weights import Weights, check, write_weights


def convert(
    source: str | Path,
    destination: str | Path,
    *,
    class_names: Sequence[str] | ClassNames | str | Path | None = None,
    network: str | None = None,
    activation: str | None = None,
    preprocessing: str | None = None,
    input_size: tuple[int, int] | None = None,
) -> Weights:
    """Convert a Keras ResNet to npcam's HDF5; the same source gives the same bytes.

    Args:
        source: a `.keras` file, a `.weights.h5`, or a legacy `.h5`.
        destination: the file to write; it appears whole or not at all.
        class_names: the names themselves, or a text file (one a line) or JSON file that holds them.
        network: "keras", "2018" or "2017", as `npcam.keras_files.read_keras` takes it.
        activation: "softmax", "sigmoid" or "linear", as `npcam.keras_files.read_keras` takes it.
        preprocessing: "caffe", "tf", "torch", "unit" or "none": what was done to photographs outside of
            the model, as `npcam.keras_files.read_keras` takes it.
        input_size: (height, width) in pixels, as `npcam.keras_files.read_keras` takes it.

    Returns:
        What was written.

    Raises:
        InputError: the source is not usable, or the destination cannot be written, or is one of
            the files that are read.
    """
    names_file = class_names if isinstance(class_names, (str, Path)) else None
    require_apart(destination, [source, names_file], "choose another destination")
    if isinstance(class_names, (str, Path)):
        class_names = read_class_names(class_names)
    weights = read_keras(
        source,
        network=network,
        activation=activation,
        preprocessing=preprocessing,
        input_size=input_size,
    )
    if class_names is not None:
        if not isinstance(class_names, ClassNames):
            class_names = ClassNames(tuple(str(name) for name in class_names))
        weights = with_class_names(weights, class_names, str(source))
    write_weights(destination, weights)
    return weights


def with_class_names(weights: Weights, names: ClassNames, where: str) -> Weights:
    """The same weights with the names of their classes.

    Args:
        weights: the weights.
        names: one name for each class, in the order of the Dense layer's columns.
        where: the name of the weights' file, for messages.

    Raises:
        InputError: there are not as many names as classes.
    """
    named = replace(weights, class_names=names.names, wnids=names.wnids)
    check(named, where)
    return named
