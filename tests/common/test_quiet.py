"""What libraries print on file descriptor 2 themselves does not reach the user."""

import io
import logging
import os
import threading
import warnings

import pytest
from helpers.pictures import picture, saved
from PIL import Image

from npcam import InputError
from npcam.common.quiet import quiet
from npcam.common.text import say
from npcam.images.photos import open_photo


def damaged(compression):
    """A TIFF whose compressed pixels are partly other bytes."""
    data = bytearray(saved(picture(size=(200, 160)), "TIFF", compression=compression))
    for at in range(60, len(data) // 2, 97):
        data[at] ^= 0x5A
    return bytes(data)


WORDS = "decoder error|-2"  # of Pillow today, and of 10.1


@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "tiff_lzw"])
def test_a_damaged_tiff(capfd, compression):
    """libtiff complains by itself; what the user reads is one line of npcam's."""
    data = damaged(compression)
    with Image.open(io.BytesIO(data)) as image, pytest.raises(OSError, match=WORDS):
        image.load()
    assert capfd.readouterr().err  # else this test shows nothing
    with pytest.raises(
        InputError, match=r"^photo: is damaged or truncated \(.*\); get the photograph again$"
    ):
        open_photo(io.BytesIO(data))
    assert capfd.readouterr() == ("", "")


def test_only_inside_and_only_for_tiff(capfd):
    """Before and after, and for other formats, what is written there arrives."""
    for tiff in (False, True):
        os.write(2, b"before ")
        with quiet(tiff):
            os.write(2, b"inside ")
        os.write(2, b"after")
        assert capfd.readouterr().err == ("before after" if tiff else "before inside after")


def test_until_the_last_thread_leaves(capfd):
    """The first who comes and the last who leaves may be different threads."""
    here, go = threading.Event(), threading.Event()

    def hold():
        with quiet(tiff=True):
            here.set()
            assert go.wait(30)
            os.write(2, b"inside")

    thread = threading.Thread(target=hold)
    with quiet(tiff=True):
        thread.start()
        assert here.wait(30)
    os.write(2, b"still inside")
    go.set()
    thread.join()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_what_npcam_says_meanwhile(capfd):
    """A complaint of another photograph's arrives while a TIFF is decoded, and silence goes on after it."""
    with quiet(tiff=True):
        os.write(2, b"inside")
        say("npcam: a.jpg: no such file", error=True)
        os.write(2, b"still inside")
    assert capfd.readouterr().err == "npcam: a.jpg: no such file\n"


def test_warnings_are_as_before_once_all_have_left():
    """Threads that come and go in any order leave the filters and the logger as they found them."""
    before, level = list(warnings.filters), logging.getLogger("PIL").level
    first, second = quiet(tiff=False), quiet(tiff=False)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    warnings.warn("not heard", UserWarning, stacklevel=1)
    second.__exit__(None, None, None)
    assert list(warnings.filters) == before
    assert logging.getLogger("PIL").level == level


def test_a_closed_descriptor():
    """Where nothing can be written there, nothing has to be kept from it, and it stays closed."""
    kept = os.dup(2)
    os.close(2)
    try:
        with quiet(tiff=True):
            pass
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(2)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
