"""From a Keras file to npcam's own: read, check, write."""

from collections.abc import Sequence
from pathlib import Path

from npcam.errors import InputError
from npcam.keras_config import parse_json
from npcam.keras_files import read_keras
from npcam.weights import Weights, write_weights

MAX_NAMES = 8 * 2**20  # bytes of a file of class names


def convert(
    source: str | Path, destination: str | Path, *, class_names: Sequence[str] | str | Path | None = None
) -> Weights:
    """Convert a Keras ResNet to npcam's HDF5; the same source gives the same bytes.

    Args:
        source: a `.keras` file, a `.weights.h5`, or a legacy `.h5`.
        destination: the file to write; it appears whole or not at all.
        class_names: the names themselves, or a text file (one a line) or JSON file that holds them.

    Returns:
        What was written.

    Raises:
        InputError: the source is not usable, or the destination cannot be written.
    """
    if isinstance(class_names, (str, Path)):
        class_names = read_class_names(class_names)
    weights = read_keras(source, class_names=class_names)
    write_weights(destination, weights)
    return weights


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """Read class names: a text file with one name a line, or JSON.

    The JSON is a list of names, an object `{"0": "cat", ...}`, Keras's `{"0": ["n02123045", "tabby"]}`,
    or `{"cat": 0, ...}`, as Keras's generators give it.

    Raises:
        InputError: the file cannot be read, or is none of these.
    """
    try:
        if Path(path).stat().st_size > MAX_NAMES:
            raise InputError(f"{path}: too large for a file of class names")
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot read class names ({error}); expected a text or JSON file"
        raise InputError(msg.replace("\\n", " ")) from error
    if text.lstrip()[:1] in ("[", "{"):
        return _names_of(parse_json(text, str(path)), str(path))
    names = [line.strip() for line in text.splitlines()]
    while names and not names[-1]:
        names.pop()
    if not names or not all(names):
        raise InputError(f"{path}: empty line {names.index('') + 1 if names else 1}; one class name a line")
    return tuple(names)


def _names_of(value: object, path: str) -> tuple[str, ...]:
    """The names in parsed JSON."""
    if isinstance(value, dict):
        if value and all(isinstance(v, int) for v in value.values()):
            value = {str(index): name for name, index in value.items()}
        try:
            value = [value[str(i)] for i in range(len(value))]
        except KeyError as error:
            raise InputError(f"{path}: no name for class {error}; expected indices 0, 1, 2, ...") from error
    if isinstance(value, list):
        names = [v[1] if isinstance(v, list) and len(v) == 2 else v for v in value]
        if names and all(isinstance(name, str) for name in names):
            return tuple(names)
    raise InputError(f'{path}: JSON, but no list of names and no object {{"0": "name", ...}}')
