"""A ResNet's layers told by their order and shapes alone.

Files of Keras 2.12 to 2.15, and of Keras 3 before 3.4, number a model's convolutions and batch norms,
and name none. They come in the model's order: the stem, then each block's 1x1, 3x3 and 1x1, with the
shortcut's convolution before or after the last of them.
"""

from typing import TYPE_CHECKING

from npcam.common.errors import InputError

if TYPE_CHECKING:
    from npcam.keras_files.weights_alone import Layer


def by_order(
    convolutions: list["Layer"], norms: list["Layer"], where: str
) -> tuple[dict[str, "Layer"], bool | None]:
    """Give numbered layers Keras's names.

    Args:
        convolutions: in the model's order.
        norms: the batch norms, in the model's order.
        where: the file's name, for messages.

    Returns:
        The layers by Keras's names, and whether a block's last convolution comes before its shortcut's,
        as it does in the network of 2017; None if nothing tells.

    Raises:
        InputError: these are not the convolutions of a ResNet of bottlenecks.
    """
    shapes = [layer.arrays[0].dataset.shape for layer in convolutions]
    if len(norms) != len(convolutions) or not shapes or shapes[0][:2] != (7, 7):
        found = f"{len(convolutions)} convolutions and {len(norms)} batch norms"
        raise InputError(
            f"{where}: {found}, not named, are no ResNet's; npcam converts ResNet-50, -101, -152"
        )
    threes = [i for i, shape in enumerate(shapes) if shape[:2] == (3, 3)]
    # From each 3x3 to the next lie the block's end and the next block's first 1x1.
    ends = [following - 1 for following in threes[1:]] + [len(shapes)]
    lengths = [end - three for three, end in zip(threes, ends, strict=True)]
    if not threes or threes[0] != 2 or any(length not in (2, 3) for length in lengths):
        raise InputError(
            f"{where}: convolutions of kernels that no bottleneck has; npcam converts ResNet-50 and up"
        )
    projecting = [three for three, length in zip(threes, lengths, strict=True) if length == 3]
    main_first = _main_first(shapes, projecting, where)
    names = ["conv1"]
    stage, block = 1, 0
    for three in threes:
        stage, block = (stage + 1, 1) if three in projecting else (stage, block + 1)
        tail = (["3", "0"] if main_first else ["0", "3"]) if three in projecting else ["3"]
        names += [f"conv{stage}_block{block}_{part}" for part in ("1", "2", *tail)]
    parts = {f"{name}_conv": layer for name, layer in zip(names, convolutions, strict=True)}
    return parts | {f"{name}_bn": layer for name, layer in zip(names, norms, strict=True)}, main_first


def _main_first(shapes: list[tuple[int, ...]], projecting: list[int], where: str) -> bool | None:
    """Whether a block's third convolution comes before its shortcut's, from the channels they take."""
    votes = set()
    for three in projecting:
        inputs, width = shapes[three - 1][2], shapes[three][3]
        first, second = shapes[three + 1][2], shapes[three + 2][2]
        if inputs != width:
            votes.add((first, second) == (width, inputs))
    if len(votes) > 1:
        raise InputError(f"{where}: blocks whose shortcuts come in different orders; no ResNet of Keras's")
    return votes.pop() if votes else None
