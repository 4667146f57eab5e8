"""The models whose classes are looked for."""

import pytest
from helpers.networks import small_file

from npcam import load_model

WNIDS = ("n02102040", "n01440764", "n02979186", "n03000684", "n03028079")


@pytest.fixture(scope="session")
def bundled():
    """The bundled model: 14 classes with names, without WordNet ids."""
    return load_model()


@pytest.fixture(scope="session")
def imagenet(tmp_path_factory):
    """A model of five classes with names and WordNet ids; two of them share a name."""
    path = tmp_path_factory.mktemp("weights") / "five.h5"
    known = ("English_springer", "tench", "crane", "crane", "church")
    return load_model(small_file(path, class_names=known, wnids=WNIDS))


@pytest.fixture(scope="session")
def nameless(tmp_path_factory):
    """A model of five classes without names."""
    return load_model(small_file(tmp_path_factory.mktemp("weights") / "nameless.h5"))
