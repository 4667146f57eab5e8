"""What people give by mistake, called what it is: by its bytes or name, or by what a folder or zip holds."""

import re
from collections.abc import Iterable
from pathlib import Path

OURS = "npcam reads what Keras wrote"
_TORCH = f"a PyTorch file; {OURS}"
_CHECKPOINT = "a part of a TensorFlow checkpoint; load it into its model in Keras and save that as .keras"
_SHARDS = "a part of a set of shards; save the weights again as one file, without max_shard_size"
_BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P", _TORCH),
    (b"\x80", "a Python pickle, which npcam never loads; it reads what Keras wrote"),
    (b"\x93NUMPY", "a NumPy array; `npcam record` and `verify` take it as a batch"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"BZh", "compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "compressed with xz; unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"GGUF", f"a GGUF file; {OURS}"),
    (b"\x89PNG", "a picture; weights were expected here"),
    (b"\xff\xd8\xff", "a picture; weights were expected here"),
    (b"model_checkpoint_path:", _CHECKPOINT),
    (b"<", "a web page, perhaps an error page of the server; download it again"),
    (b"{", "JSON, a description without weights; give the file that holds them"),
)
# Formats that have no mark at their beginning, by the names that their files have.
_ENDINGS = (
    (".onnx", f"an ONNX model; {OURS}"),
    (".mlmodel", f"a Core ML model; {OURS}"),
    (".pb", "a TensorFlow graph; load the model in Keras and save it as .keras"),
    (".msgpack", f"a Flax file; {OURS}"),
    (".index", _CHECKPOINT),
    (".weights.json", _SHARDS),
)
# What people give for a photograph.
_NOT_PHOTOS = (
    (b"\x89HDF", "an HDF5 file, perhaps weights"),
    (b"PK\x03\x04", "a zip archive, perhaps a .keras model"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"<", "an SVG drawing or a web page"),
)
_SHARD = re.compile(r"(?P<model>.+)_[0-9]{5}\.weights\.h5")


def kind_of_file(path: str | Path) -> str | None:
    """What a file is that is neither HDF5 nor a `.keras` zip, in words with what to do; None if unknown.

    >>> kind_of_file("README.md")
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return None
    zipped = head.startswith(b"PK\x03\x04")
    torch = any(name in head for name in (b"/data.pkl", b"/.format_version", b"/.data/"))
    told = (
        (not head, "empty (0 bytes); get it again"),
        (".data-" in path.name, _CHECKPOINT),
        *((path.name.endswith(end), kind) for end, kind in _ENDINGS),
        (head[4:8] == b"TFL3", f"a TensorFlow Lite model; {OURS}"),
        (head[8:10] == b'{"' and head[6:8] == b"\0\0", f"a safetensors file; {OURS}"),
        (head[257:262] == b"ustar", "a tar archive; unpack it first"),
        (zipped and torch, _TORCH),
        (zipped, f"a zip, perhaps a .keras file; `npcam convert {path.name} weights.h5` converts it"),
        *((head.lstrip().startswith(start), kind) for start, kind in _BEGINNINGS),
    )
    return next((kind for is_this, kind in told if is_this), None)


def kind_of_photo(head: bytes) -> str:
    """What a file is that no decoder takes for a picture, by its first bytes.

    >>> kind_of_photo(b"%PDF-1.7")
    'a PDF document'
    """
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1"):
        return "a HEIC picture"
    kinds = (kind for magic, kind in _NOT_PHOTOS if head.startswith(magic))
    return next(kinds, "no picture that npcam reads")


def kind_of_zip(names: Iterable[str]) -> str | None:
    """What a zip is that is no `.keras` file, from its members' names; None if unknown.

    >>> kind_of_zip(["a/data.pkl", "a/data/0"])
    'a PyTorch file; npcam reads what Keras wrote'
    """
    names = list(names)
    ends = {name.rpartition("/")[2] for name in names}
    models = [n for n in names if n.endswith((".keras", ".h5", ".hdf5")) and n != "model.weights.h5"]
    told = (
        ("data.pkl" in ends, _TORCH),
        ("model.weights.json" in ends, "a .keras file of shards; save the model again without them"),
        (
            "saved_model.pb" in ends,
            "a TensorFlow SavedModel; unpack it, load it in Keras and save it as .keras",
        ),
        (bool(names) and ends == {name for name in ends if name.endswith(".npy")}, "NumPy arrays; " + OURS),
        (
            {"config.json", "model.weights.h5"} <= ends,
            "a folder around a .keras file's members; zip the members without the folder",
        ),
        (len(models) == 1, f"a zip around {models[0] if models else ''}; unpack it first"),
    )
    return next((kind for is_this, kind in told if is_this), None)


def kind_of_folder(path: str | Path) -> str | None:
    """What a folder is that was given for a file, in words with what to do; None if it is just a folder."""
    path = Path(path)

    def holds(*names: str) -> bool:
        return any((path / name).exists() for name in names)

    told = (
        (
            holds("saved_model.pb", "saved_model.pbtxt"),
            "a TensorFlow SavedModel; load it in Keras and save it as .keras",
        ),
        (
            holds("config.json") and holds("model.weights.h5"),
            "an unzipped .keras file; zip its members again, or convert the model.weights.h5 in it",
        ),
        (
            holds("config.json") and holds("model.weights.json"),
            "an unzipped .keras file of shards; save the model again without them",
        ),
        (holds("pytorch_model.bin", "model.safetensors"), f"a PyTorch model's folder; {OURS}"),
        (holds("checkpoint"), f"a folder of {_CHECKPOINT.removeprefix('a part of ')}"),
    )
    return next((kind for is_this, kind in told if is_this), None)


def shard_of(path: str | Path) -> str | None:
    """What an HDF5 file is that is one of several of Keras's, with their table beside it; None if it is none.

    >>> shard_of("model_00001.weights.h5")
    """
    path = Path(path)
    found = _SHARD.fullmatch(path.name)
    return _SHARDS if found and (path.parent / f"{found['model']}.weights.json").exists() else None
