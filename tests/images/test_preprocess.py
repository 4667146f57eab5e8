"""The network's input, bit for bit as live Keras makes it."""

import numpy as np
import pytest
from helpers.pictures import picture
from PIL import Image

from npcam import InputError, load_image, preprocess_input
from npcam.images.photos import open_photo
from npcam.images.preprocess import INTERPOLATIONS, to_input

FILES = [
    *[("PNG", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")],
    ("PNG", "P", {"transparency": bytes(range(256))}),
    ("PNG", "P", {"transparency": 3}),
    ("PNG", "L", {"transparency": 3}),
    *[("TIFF", mode, {}) for mode in ("1", "L", "I;16", "I", "F", "CMYK", "RGBA", "LAB")],
    ("TIFF", "YCbCr", {"compression": "tiff_lzw"}),  # uncompressed, only new Pillows read it
    *[("JPEG", mode, {"quality": 80}) for mode in ("L", "RGB", "CMYK")],
    ("JPEG", "RGB", {"progressive": True}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("GIF", "P", {}),
    ("BMP", "RGB", {}),
    ("PPM", "RGB", {}),
    ("TGA", "RGBA", {}),
]


def keras_pixels(keras, path, **options):
    """The same photograph through Keras."""
    return keras.utils.img_to_array(keras.utils.load_img(path, **options))


@pytest.mark.parametrize(("file_format", "mode", "options"), FILES)
@pytest.mark.filterwarnings("ignore:Palette images with Transparency")  # Keras's, not npcam's
def test_every_mode_as_keras(keras, tmp_path, file_format, mode, options):
    """Every format and mode gives Keras's pixels exactly, at its own size and resized."""
    path = tmp_path / f"photo.{file_format.lower()}"
    picture(mode).save(path, file_format, **options)
    for size in (None, (224, 224), (5, 40)):
        np.testing.assert_array_equal(
            load_image(path, size=size), keras_pixels(keras, path, target_size=size)
        )


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("shape", [(1, 1), (640, 481), (30, 900), (224, 224)])
def test_every_interpolation_as_keras(keras, tmp_path, interpolation, shape):
    """Each interpolation that Keras knows, enlarging and shrinking, to a size that is no square."""
    path = tmp_path / "photo.png"
    picture(size=shape).save(path)
    options = {"target_size": (224, 160), "interpolation": interpolation}
    ours = load_image(path, size=(224, 160), interpolation=interpolation)
    np.testing.assert_array_equal(ours, keras_pixels(keras, path, **options))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 5, 4, 3), (5, 4, 3)])
def test_preprocess_input_as_keras(keras, dtype, shape):
    """The same bits and dtype as Keras computes from a NumPy array, and the argument left alone."""
    x = (np.random.default_rng(0).random(shape) * 255).astype(dtype)
    before = x.copy()
    ours = preprocess_input(x)
    np.testing.assert_array_equal(x, before)
    theirs = keras.applications.resnet50.preprocess_input(x.copy())
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_preprocess_input_by_hand():
    """Channel by channel, as Caffe's mean is written down."""
    x = np.random.default_rng(0).random((2, 3, 4, 3)) * 255
    red, green, blue = x[..., 0], x[..., 1], x[..., 2]
    expected = np.stack([blue - 103.939, green - 116.779, red - 123.68], axis=-1)
    np.testing.assert_array_equal(preprocess_input(x), expected)


def test_pixels_are_the_callers():
    """Writing into the loaded pixels does not change the photograph."""
    photo = np.zeros((4, 4, 3), np.uint8)
    load_image(photo, size=None)[:] = 9
    assert not photo.any()


def test_defaults_are_keras_and_the_networks(keras, tmp_path):
    """Without options: 224x224 by the nearest pixel, and lying on its side, as Keras has it."""
    image = picture(size=(23, 17))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    image.save(tmp_path / "photo.png", exif=exif)
    expected = keras_pixels(keras, tmp_path / "photo.png", target_size=(224, 224))
    np.testing.assert_array_equal(load_image(tmp_path / "photo.png"), expected)
    np.testing.assert_array_equal(to_input(open_photo(tmp_path / "photo.png")), expected)
    upright = load_image(tmp_path / "photo.png", size=None, exif_transpose=True)
    np.testing.assert_array_equal(upright, np.rot90(np.asarray(image), -1))


def test_sizes_are_height_and_width():
    """From one pixel up, in Python's integers or NumPy's, the height first."""
    image = picture(size=(5, 4))
    assert to_input(image, (1, 1)).shape == (1, 1, 3)
    assert to_input(image, (np.int64(7), np.int64(3))).shape == (7, 3, 3)
    assert to_input(image, (5, 4)).shape == (5, 4, 3)
    np.testing.assert_array_equal(to_input(image, (4, 5)), np.asarray(image))
    np.testing.assert_array_equal(to_input(image, None), np.asarray(image))


SHAPE = "expected RGB pixels (N, H, W, 3) or the same without N, got shape"


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((4, 3)), f"{SHAPE} (4, 3)"),
        (np.zeros((1, 1, 2, 4, 3)), f"{SHAPE} (1, 1, 2, 4, 3)"),
        (np.zeros((1, 4, 4, 4)), f"{SHAPE} (1, 4, 4, 4)"),
        (np.zeros((4, 4, 1)), f"{SHAPE} (4, 4, 1)"),
        (7.0, f"{SHAPE} ()"),
        (np.zeros((2, 2, 3), complex), "expected real numbers from 0 to 255, got complex128"),
        (np.zeros((2, 2, 3), object), "expected real numbers from 0 to 255, got object"),
        (np.full((2, 2, 3), "a"), "expected real numbers from 0 to 255, got <U1"),
    ],
)
def test_preprocess_input_refuses(x, said):
    """Anything that is not RGB pixels."""
    with pytest.raises(InputError) as caught:
        preprocess_input(x)
    assert str(caught.value) == f"preprocess_input: {said}"


def test_load_image_refuses():
    """An unknown interpolation lists the known ones; a size is two positive integers."""
    photo = np.zeros((4, 4, 3), np.uint8)
    for read in (load_image, lambda photo, **options: to_input(open_photo(photo), **options)):
        with pytest.raises(InputError) as caught:
            read(photo, interpolation="cubic")
        known = "nearest, bilinear, bicubic, hamming, box, lanczos"
        assert str(caught.value) == f"interpolation: 'cubic' is not known; choose one of {known}"
        for size in [(0, 4), (4, 0), (4,), (4, 4, 3), (4.5, 4), (-1, 4)]:
            with pytest.raises(InputError) as caught:
                read(photo, size=size)
            assert str(caught.value) == f"size: expected (height, width) in pixels, got {size}"
