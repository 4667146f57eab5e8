"""A photograph in: the same bits as Keras makes of it."""

import numpy as np
import pytest
from PIL import Image

import npcam
from npcam import InputError
from npcam.preprocess import INTERPOLATIONS

RNG = np.random.default_rng(3)


def noise(mode, size=(61, 47)):
    """A random picture of any mode; smooth enough that resizing has something to do."""
    width, height = size
    if mode in ("I;16", "I", "F"):
        values = RNG.integers(0, 2**16, (height, width))
        return Image.fromarray(values.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    colour = Image.fromarray(RNG.integers(0, 256, (height, width, 4), np.uint8))
    if mode == "P":
        return colour.convert("RGB").quantize(17)
    return colour if mode == "RGBA" else colour.convert("RGB").convert(mode)


FILES = {
    "grey.png": "L",
    "grey-alpha.png": "LA",
    "palette.png": "P",
    "palette.gif": "P",
    "alpha.png": "RGBA",
    "alpha.webp": "RGBA",
    "sixteen-bit.png": "I;16",
    "thirty-two-bit.tiff": "I",
    "float.tiff": "F",
    "bilevel.png": "1",
    "cmyk.jpg": "CMYK",
    "colour.jpg": "RGB",
    "colour.webp": "RGB",
    "colour.bmp": "RGB",
    "colour.ppm": "RGB",
}


def from_keras(keras, path, size, interpolation):
    """The pixels as Keras's own three calls make them."""
    image = keras.utils.load_img(path, target_size=size, interpolation=interpolation)
    return keras.utils.img_to_array(image)


@pytest.mark.parametrize("name", FILES)
def test_every_mode_and_format_gives_keras_bits(keras, tmp_path, name):
    """Grey, palette, transparent, 16-bit, CMYK, in every format: not one bit differs."""
    path = tmp_path / name
    noise(FILES[name]).save(path)
    found = npcam.load_image(path)
    assert found.dtype == np.uint8
    assert np.array_equal(found, from_keras(keras, path, (224, 224), "nearest"))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(224, 224), (32, 65), (47, 61), (300, 20)])
def test_every_interpolation_gives_keras_bits(keras, tmp_path, interpolation, size):
    """All of Keras's resizings, up, down, out of shape and not at all."""
    path = tmp_path / "photo.png"
    noise("RGB").save(path)
    found = npcam.load_image(path, size, interpolation)
    assert np.array_equal(found, from_keras(keras, path, size, interpolation))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (20_000, 3)])
def test_extreme_sizes_give_keras_bits(keras, tmp_path, size):
    """One pixel, one column, and 20,000 pixels wide."""
    path = tmp_path / "photo.png"
    noise("RGB", size).save(path)
    assert np.array_equal(npcam.load_image(path), from_keras(keras, path, (224, 224), "nearest"))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_preprocess_input_gives_keras_bits_and_copies(keras, dtype):
    """BGR minus the mean, bit for bit, and the argument stays as it was."""
    x = RNG.integers(0, 256, (2, 5, 4, 3)).astype(dtype)
    before = x.copy()
    found = npcam.preprocess_input(x)
    assert np.array_equal(x, before)
    expected = keras.applications.resnet50.preprocess_input(x.copy())
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turning_is_pillows_and_off_by_default(tmp_path, orientation):
    """With the option a photograph stands as Pillow's exif_transpose puts it; without, as Keras has it."""
    from PIL import ImageOps

    path = tmp_path / "turned.png"
    image = noise("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    assert np.array_equal(npcam.load_image(path, size=None, exif_transpose=True), upright)
    assert np.array_equal(npcam.load_image(path, size=None), np.asarray(image))


def test_a_photograph_may_be_a_path_a_file_an_image_or_an_array(tmp_path):
    """All four ways in lead to the same pixels."""
    path = tmp_path / "photo.png"
    noise("RGB").save(path)
    expected = npcam.load_image(path)
    with path.open("rb") as file:
        assert np.array_equal(npcam.load_image(file), expected)
    assert np.array_equal(npcam.load_image(str(path)), expected)
    assert np.array_equal(npcam.load_image(Image.open(path)), expected)
    assert np.array_equal(npcam.load_image(np.asarray(Image.open(path))), expected)


def test_bad_photographs_are_named_in_one_line(tmp_path):
    """Each says which file, what is wrong with it and what to do."""
    photo = tmp_path / "photo.png"
    noise("RGB").save(photo)
    jpeg = tmp_path / "photo.jpg"
    noise("RGB").save(jpeg)
    bad = {
        "no such file": tmp_path / "none.jpg",
        "is a directory": tmp_path,
        "empty": tmp_path / "empty.jpg",
        "no picture": tmp_path / "text.jpg",
        "HDF5": tmp_path / "weights.jpg",
        "zip archive": tmp_path / "model.jpg",
        "damaged or truncated": tmp_path / "half.png",
        "truncated": tmp_path / "half.jpg",
        "PostScript": tmp_path / "program.eps",
    }
    bad["empty"].write_bytes(b"")
    bad["no picture"].write_text("this is text")
    bad["HDF5"].write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    bad["zip archive"].write_bytes(b"PK\x03\x04" + bytes(100))
    bad["damaged or truncated"].write_bytes(photo.read_bytes()[:3000])
    bad["truncated"].write_bytes(jpeg.read_bytes()[:1000])
    bad["PostScript"].write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    for words, path in bad.items():
        with pytest.raises(InputError) as caught:
            npcam.load_image(path)
        message = str(caught.value)
        assert words in message
        assert str(path) in message
        assert "\n" not in message


def test_a_decompression_bomb_is_refused_but_a_poster_is_not(tmp_path):
    """A small file of 30,000 x 30,000 pixels is refused undecoded; 16,000 x 8,000 is a photograph."""
    bomb, poster = tmp_path / "bomb.png", tmp_path / "poster.png"
    Image.new("1", (30_000, 30_000)).save(bomb)
    Image.new("1", (16_000, 8_000)).save(poster)
    with pytest.raises(InputError, match="too many pixels"):
        npcam.load_image(bomb)
    assert npcam.load_image(poster).shape == (224, 224, 3)


def test_bad_arguments_are_named():
    """Unknown interpolations, sizes and arrays raise InputError, not something from inside Pillow."""
    pixels = np.zeros((4, 4, 3), np.uint8)
    for call, words in [
        (lambda: npcam.load_image(pixels, interpolation="cubic"), "choose one of nearest, bilinear"),
        (lambda: npcam.load_image(pixels, size=(0, 5)), "size"),
        (lambda: npcam.load_image(pixels.astype(float)), "uint8"),
        (lambda: npcam.load_image(np.zeros((4, 4), np.uint8)), r"\(H, W, 3\)"),
        (lambda: npcam.preprocess_input(np.zeros((4, 4, 1))), "RGB"),
    ]:
        with pytest.raises(InputError, match=words):
            call()
