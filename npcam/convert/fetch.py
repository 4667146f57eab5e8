"""Official weights by name: downloaded once, checked, converted, kept in a cache folder."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from npcam.common.errors import InputError
from npcam.common.hashes import md5_file
from npcam.common.published import (
    ADDRESS,
    CLASSES_ADDRESS,
    CLASSES_FILE,
    CLASSES_MD5,
    Official,
    cache_folder,
    identify,
    known_name,
    published,
)
from npcam.convert.class_names import ClassNames, read_class_names
from npcam.convert.conversion import with_class_names
from npcam.keras_files import read_keras
from npcam.weights import Weights, write_weights

TIMEOUT = (10, 60)  # seconds to wait for the connection, and for each next piece

CHECKOUT = "or `pip install '.[fetch]'` in a copy of the repository"


def fetch(
    name: str,
    source: str | Path | None = None,
    *,
    address: str = ADDRESS,
    classes_address: str = CLASSES_ADDRESS,
    progress: bool | None = None,
) -> Path:
    """Have the official weights of a model in the cache, converted, with the names of their classes.

    Args:
        name: "resnet50", "resnet101" or "resnet152".
        source: a copy of the published file that is already there; None downloads it from where
            Keras does.
        address, classes_address: the folders on the server; a mirror's, to download from there.
        progress: whether to show a bar; None shows one on a terminal.

    Returns:
        The converted file. One that is there already is used as it is, unless `source` is given.

    Raises:
        InputError: no such name; the download fails or has another checksum; `source` is not the
            published file; or the cache cannot be written to.
    """
    destination = cache_folder() / f"{known_name(name)}.h5"
    if source is None and destination.is_file():
        return destination
    folder = destination.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot make the cache folder ({error.strerror}); set NPCAM_CACHE to another"
        raise InputError(msg) from error
    official = published(name)
    if source is None:
        bar = sys.stderr.isatty() if progress is None else progress
        hint = f"or download it by hand and run `npcam fetch {name} --from FILE`"
        path = _download(address, official.file, official.md5, folder, hint, bar)
        write_weights(destination, _converted(path, official, _classes(folder, classes_address, hint)))
        path.unlink()
        return destination
    path = Path(source)
    official = _recognise(path, name)
    classes = _classes_near(path, folder) if official.has_top else None
    write_weights(destination, _converted(path, official, classes))
    return destination


def _converted(path: Path, official: Official, classes: ClassNames | None) -> Weights:
    """The weights in a published file."""
    weights = read_keras(
        path,
        network=official.network,
        activation="softmax" if official.has_top else None,
        preprocessing="caffe",
        input_size=(224, 224),
    )
    if classes is not None:
        weights = with_class_names(weights, classes, str(path))
    year = "" if official.network == "keras" else f", the file of {official.network}"
    return replace(weights, source=official.file, notes=(f"Keras's official {official.model}{year}",))


def _recognise(path: Path, name: str) -> Official:
    """Which of the published files this is, by its MD5."""
    md5 = md5_file(path)
    official = identify(md5)
    if official is None or official.model != name:
        is_what = f"Keras's {official.model}" if official else "none of Keras's files"
        msg = (
            f"{path}: MD5 {md5} is {is_what}, expected {published(name).md5} ({name}); a file of your own "
            "converts with `npcam convert`"
        )
        raise InputError(msg)
    return official


def _classes_near(path: Path, folder: Path) -> ClassNames | None:
    """ImageNet's class names from beside a file (Keras keeps both in one folder), or from the cache."""
    for candidate in (path.parent / CLASSES_FILE, folder / CLASSES_FILE):
        if candidate.is_file():
            return read_class_names(candidate)
    return None


def _classes(folder: Path, address: str, hint: str) -> ClassNames:
    """ImageNet's class names, downloaded once."""
    return read_class_names(_download(address, CLASSES_FILE, CLASSES_MD5, folder, hint, bar=False))


def _download(address: str, file: str, md5: str, folder: Path, hint: str, bar: bool) -> Path:
    """A file from the server, whole and of the right checksum, or an error."""
    pooch, requests = _clients()
    url = f"{address.rstrip('/')}/{file}"
    pooch.get_logger().setLevel("WARNING")
    try:
        downloader = pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT, chunk_size=2**16)
        return Path(pooch.retrieve(url, f"md5:{md5}", fname=file, path=folder, downloader=downloader))
    except requests.exceptions.HTTPError as error:
        reason = f"the server says {error.response.status_code}"
    except requests.exceptions.Timeout:
        reason = "the server does not answer"
    except requests.exceptions.RequestException as error:
        reason = f"no connection, or it was cut ({type(error).__name__})"
    except ValueError:
        reason = f"what came is not the published file (its MD5 is not {md5})"
    except OSError as error:
        reason = f"{folder} cannot be written to ({error.strerror or error})"
    raise InputError(f"{url}: {reason}; nothing was kept; try again, {hint}")


def _clients() -> tuple[Any, Any]:
    """pooch and requests, which only the extra `fetch` brings."""
    try:
        import pooch
        import requests
        import tqdm  # noqa: F401, the progress bar's
    except ImportError as error:
        msg = f"downloading needs {error.name}; `pip install pooch tqdm` brings it, {CHECKOUT}"
        raise InputError(msg) from error
    return pooch, requests
