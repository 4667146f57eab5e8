"""What people give by mistake, called what it is: told by a file's first bytes, or by what a folder holds."""

from pathlib import Path

_LFS = b"version https://git-lfs"
_BEGINNINGS = (
    (_LFS, "a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P", "a PyTorch file; npcam reads what Keras wrote"),
    (b"\x80", "a Python pickle, which npcam never loads; it reads what Keras wrote"),
    (b"\x93NUMPY", "a NumPy array; `npcam record` and `verify` take it as a batch"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"<", "a web page, perhaps an error page of the server; download it again"),
)


def kind_of_file(path: str | Path) -> str | None:
    """What a file is that is neither HDF5 nor a `.keras` zip, in words with what to do; None if unknown.

    >>> kind_of_file("README.md")
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        return None
    zipped, set_of = head.startswith(b"PK\x03\x04"), (".weights.json", ".index")
    torch = any(name in head for name in (b"/data.pkl", b"/.format_version", b"/.data/"))
    told = (
        (not head, "empty (0 bytes); get it again"),
        (
            path.name.endswith(set_of) or ".data-" in path.name,
            "a part of a set (a shard or a checkpoint); save one file",
        ),
        (head[4:8] == b"TFL3", "a TensorFlow Lite model; npcam reads what Keras wrote"),
        (head[8:10] == b'{"' and head[6:8] == b"\0\0", "a safetensors file; npcam reads what Keras wrote"),
        (zipped and torch, "a PyTorch file; npcam reads what Keras wrote"),
        (zipped, f"a zip, perhaps a .keras file; `npcam convert {path.name} weights.h5` converts it"),
        *((head.startswith(start), kind) for start, kind in _BEGINNINGS),
    )
    return next((kind for is_this, kind in told if is_this), None)


def kind_of_folder(path: str | Path) -> str | None:
    """What a folder is that was given for a file, in words with what to do; None if it is just a folder."""
    path = Path(path)
    if (path / "saved_model.pb").exists():
        return "a TensorFlow SavedModel; load it in Keras and save it as .keras"
    if (path / "model.weights.h5").exists() and (path / "config.json").exists():
        return "an unzipped .keras file; zip its members again, or convert the model.weights.h5 in it"
    return None
