"""Made-up pictures of every mode, and their files."""

import io

import numpy as np
from PIL import Image


def picture(mode="RGB", size=(23, 17)):
    """A Pillow image of noise in any mode."""
    rng = np.random.default_rng(0)
    width, height = size
    if mode in ("I;16", "I", "F"):
        pixels = rng.integers(0, 65536, (height, width))
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        return Image.fromarray(pixels.astype(dtype))
    rgba = rng.integers(0, 256, (height, width, 4)).astype(np.uint8)
    if mode == "LA":
        return Image.fromarray(rgba).convert("LA")
    return Image.fromarray(rgba) if mode == "RGBA" else Image.fromarray(rgba[..., :3]).convert(mode)


def saved(image, file_format, **options):
    """The bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()
