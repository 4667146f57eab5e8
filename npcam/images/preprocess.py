"""A photograph turned into the network's input exactly as Keras does it."""

from typing import TYPE_CHECKING

import numpy as np

from npcam.common.errors import InputError
from npcam.images.photos import Photo, open_photo
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

# ImageNet's mean blue, green and red, as Caffe's ResNet-50 subtracted them and Keras still does.
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)

# The names that keras.utils.load_img knows; Pillow's Resampling has the same ones in capitals.
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def preprocess_input(x: Array) -> Array:
    """Turn RGB pixels into what ResNet-50 was trained on: BGR with ImageNet's mean subtracted, unscaled.

    Bit for bit what `keras.applications.resnet50.preprocess_input` computes from a NumPy array (its
    mode "caffe"), but into a new array: Keras's overwrites its argument.

    Args:
        x: (N, H, W, 3) or (H, W, 3), channels red, green, blue, values 0 to 255 in any real dtype.

    Returns:
        The same shape, channels blue, green, red. Floats keep their dtype, integers become float32.

    Raises:
        InputError: not three channels, or not real numbers.

    >>> preprocess_input(np.array([[[255.0, 0.0, 0.0]]])).tolist()
    [[[-103.939, -116.779, 131.32]]]
    """
    x = np.asarray(x)
    if x.ndim not in (3, 4) or x.shape[-1] != 3:
        msg = f"preprocess_input: expected RGB pixels (N, H, W, 3) or (H, W, 3), got shape {x.shape}"
        raise InputError(msg)
    if x.dtype.kind not in "buif":
        msg = f"preprocess_input: expected real numbers from 0 to 255, got {x.dtype}"
        raise InputError(msg)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)
    bgr = x[..., ::-1].astype(dtype, order="C")
    # The mean is rounded to the array's own dtype first: that is what Keras's in-place "-=" does.
    bgr -= np.array(IMAGENET_MEAN_BGR, dtype)
    return bgr


def load_image(
    path: Photo,
    size: tuple[int, int] | None = (224, 224),
    interpolation: str = "nearest",
    exif_transpose: bool = False,
) -> Array:
    """A photograph as the network sees it: RGB pixels, squashed to the network's input size.

    The pixels of `img_to_array(load_img(path, target_size=size, interpolation=interpolation))` in
    Keras, as uint8. Like Keras, it defaults to the nearest pixel, gives up the aspect ratio, drops
    transparency, and leaves a photograph lying on its side; `interpolation="bilinear"` and
    `exif_transpose=True` are usually better for people's photographs.

    Args:
        path: a file's path, a binary file, a Pillow image, or pixels (H, W, 3) uint8.
        size: (height, width) of the result; None keeps the photograph's own.
        interpolation: one of `INTERPOLATIONS`.
        exif_transpose: turn the photograph upright, as its EXIF orientation says.

    Returns:
        (height, width, 3) uint8, channels red, green, blue.

    Raises:
        InputError: no such file, not a photograph, a damaged one, or an unknown interpolation.

    >>> checks = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)  # black beside white
    >>> load_image(checks, size=(1, 4))[0, :, 0].tolist()
    [0, 0, 255, 255]
    """
    check_interpolation(interpolation)
    return to_input(open_photo(path, exif_transpose), size, interpolation)


def to_input(
    image: "Image", size: tuple[int, int] | None = (224, 224), interpolation: str = "nearest"
) -> Array:
    """Resize a Pillow image in one step, as `keras.utils.load_img` does, and take its pixels.

    Args:
        image: a Pillow image in mode RGB, as `open_photo` returns it.
        size: (height, width), whatever the aspect ratio; None keeps the image's own.
        interpolation: one of `INTERPOLATIONS`.

    Returns:
        (height, width, 3) uint8.

    Raises:
        InputError: an unknown interpolation, or a size that is not two positive integers.

    >>> to_input(open_photo(np.full((5, 4, 3), 9, np.uint8)), size=(2, 2)).shape
    (2, 2, 3)
    """
    from PIL import Image

    check_interpolation(interpolation)
    if size is None:
        return np.array(image)
    if len(size) != 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in size):
        raise InputError(f"size: expected (height, width) in pixels, got {size}")
    width_and_height = (int(size[1]), int(size[0]))
    if image.size != width_and_height:
        image = image.resize(width_and_height, Image.Resampling[interpolation.upper()])
    return np.array(image)


def check_interpolation(interpolation: str) -> None:
    """Raise InputError, naming the known ones, unless Keras knows this interpolation."""
    if interpolation not in INTERPOLATIONS:
        msg = f"interpolation: {interpolation!r} is not known; choose one of {', '.join(INTERPOLATIONS)}"
        raise InputError(msg)
