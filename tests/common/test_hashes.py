"""Hashes of files, against published ones."""

import hashlib

import pytest

from npcam.common.errors import InputError
from npcam.common.hashes import md5_file, sha256_file


def test_hashes(tmp_path):
    """Of some bytes and of a long file: the published examples, and all at once."""
    (tmp_path / "abc").write_bytes(b"abc")
    (tmp_path / "long").write_bytes(bytes(range(256)) * 5000)
    # FIPS 180-2, appendix B.1, and RFC 1321, appendix A.5
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert md5_file(str(tmp_path / "abc")) == "900150983cd24fb0d6963f7d28e17f72"
    data = (tmp_path / "long").read_bytes()
    assert sha256_file(str(tmp_path / "long")) == hashlib.sha256(data).hexdigest()
    assert md5_file(tmp_path / "long") == hashlib.md5(data).hexdigest()


def test_a_hash_of_nothing(tmp_path):
    """There must be a file of weights."""
    for digest in (sha256_file, md5_file):
        with pytest.raises(InputError) as caught:
            digest(tmp_path / "none")
        assert str(caught.value) == f"{tmp_path / 'none'}: no such file; give the path of a weights file"
