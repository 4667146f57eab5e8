"""The ResNets that Keras publishes: names, files, checksums, and where fetched ones lie.

As Keras itself has them, in `keras/src/applications/resnet.py` and `imagenet_utils.py`; the weights
are Kaiming He's, under the MIT licence, and the 2017 file is that of keras-applications before 1.0.5.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from npcam.common.errors import InputError

ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
CLASSES_ADDRESS = "https://storage.googleapis.com/download.tensorflow.org/data/"
CLASSES_FILE = "imagenet_class_index.json"
CLASSES_MD5 = "c2c37ea517e94d9795004a39431a14cb"


class Official(NamedTuple):
    """One published file.

    Attributes:
        model: `resnet50`, the name to fetch it by.
        file: its name on Keras's server; two different files of ResNet-50 have the same.
        md5: of its bytes.
        has_top: whether it has the dense layer for ImageNet's 1,000 classes.
        network: which of Keras's networks it belongs to: "keras" or "2017".
    """

    model: str
    file: str
    md5: str
    has_top: bool = True
    network: str = "keras"


_TOP = "{}_weights_tf_dim_ordering_tf_kernels.h5"
_NOTOP = "{}_weights_tf_dim_ordering_tf_kernels_notop.h5"

FILES = (
    Official("resnet50", _TOP.format("resnet50"), "2cb95161c43110f7111970584f804107"),
    Official("resnet101", _TOP.format("resnet101"), "f1aeb4b969a6efcfb50fad2f0c20cfc5"),
    Official("resnet152", _TOP.format("resnet152"), "100835be76be38e30d865e96f2aaae62"),
    Official("resnet50", _NOTOP.format("resnet50"), "4d473c1dd8becc155b73f8504c6f6626", has_top=False),
    Official("resnet101", _NOTOP.format("resnet101"), "88cf7a10940856eca736dc7b7e228a21", has_top=False),
    Official("resnet152", _NOTOP.format("resnet152"), "ee4c566cf9a93f14d82f913c2dc6dd0c", has_top=False),
    Official("resnet50", _TOP.format("resnet50"), "a7b3fe01876f51b976af0dea6bc144eb", network="2017"),
    Official(
        "resnet50",
        _NOTOP.format("resnet50"),
        "a268eb855778b3df3c7506639542a6af",
        has_top=False,
        network="2017",
    ),
)

NAMES = ("resnet50", "resnet101", "resnet152")


def published(name: str) -> Official:
    """The file that Keras downloads for a name today.

    >>> published("resnet50").md5[:8]
    '2cb95161'
    """
    return next(official for official in FILES if official.model == name)


def identify(md5: str) -> Official | None:
    """The published file of that checksum, or None.

    >>> identify("a7b3fe01876f51b976af0dea6bc144eb").network
    '2017'
    """
    return next((official for official in FILES if official.md5 == md5), None)


def known_name(name: str) -> str:
    """The name, if Keras publishes weights of it.

    Raises:
        InputError: it does not.
    """
    if name not in NAMES:
        raise InputError(f"{name}: no official weights of that name; there are {', '.join(NAMES)}")
    return name


def cache_folder() -> Path:
    """Where fetched weights are kept: `$NPCAM_CACHE`, else the platform's folder for caches.

    Raises:
        InputError: it lies in a home folder, and the system knows none.
    """
    try:
        return _cache_folder()
    except RuntimeError as error:  # no HOME and an unknown user, or `~name` of nobody
        raise InputError(f"no folder for the cache ({error}); set NPCAM_CACHE to one") from error


def _cache_folder() -> Path:
    chosen = os.environ.get("NPCAM_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "npcam" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "npcam"
    chosen = os.environ.get("XDG_CACHE_HOME")
    # The XDG Base Directory Specification has relative paths ignored.
    return (Path(chosen) if chosen and Path(chosen).is_absolute() else Path.home() / ".cache") / "npcam"


def find(name: str) -> Path:
    """The converted weights of an official model.

    Args:
        name: "resnet50", "resnet101" or "resnet152".

    Raises:
        InputError: no such name, or it is not fetched yet.
    """
    path = cache_folder() / f"{known_name(name)}.h5"
    if not path.is_file():
        raise InputError(f"{name}: not fetched yet; run `npcam fetch {name}`, or give the path of a file")
    return path
