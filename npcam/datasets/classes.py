"""From what a data set calls a class to the model's index of it."""

import re
from collections.abc import Iterable, Mapping

from npcam.common.errors import InputError
from npcam.common.limits import MAX_LISTED_CLASSES
from npcam.common.text import some_names
from npcam.datasets.places import counted
from npcam.model import Model

WNID = re.compile(r"n[0-9]{8}")


class Classes:
    """The model's classes under the names of a data set, each sought once.

    Attributes:
        notes: what was taken for granted.
        unknown: names that are no class of the model's, each with the reason where it is no plain
            absence.
    """

    def __init__(
        self, model: Model, folders: Iterable[str], synonyms: Mapping[str, str] | None = None
    ) -> None:
        """Prepare for a model.

        Args:
            model: whose classes are meant.
            folders: the names of the class folders. A model without class names takes as many folders
                as it has classes in alphabetical order, as Keras's `image_dataset_from_directory`.
            synonyms: the words for each WordNet id, for a model that has no ids: "tench, Tinca tinca".
        """
        self.model = model
        self.notes: list[str] = []
        self.unknown: dict[str, str] = {}
        self._synonyms = synonyms or {}
        self._found: dict[str, int | None] = {}
        self._translated: dict[str, str] = {}
        order = sorted(folders)
        if (
            model.class_names is None
            and len(order) == model.classes
            and not all(f.isdecimal() for f in order)
        ):
            self._found = {name: index for index, name in enumerate(order)}
            self.notes.append(
                f"the model has no class names: the {len(order)} folders in alphabetical order are taken for "
                f"its classes 0 to {len(order) - 1} (first: {some_names(order, 3)})"
            )

    def find(self, name: str) -> int | None:
        """The index of a class by its name, its WordNet id or its index in digits; None if it is no class.

        Raises:
            InputError: more names have been asked for than any data set has.
        """
        if name not in self._found:
            if len(self._found) >= MAX_LISTED_CLASSES:
                msg = f"the data set names more than {MAX_LISTED_CLASSES:,} classes"
                raise InputError(f"{msg} (one is {some_names([name])}); the largest have half as many")
            self._found[name] = self._seek(name)
        return self._found[name]

    def find_folder(self, name: str, by_index: bool) -> int | None:
        """As `find`, for a folder; digits are an index only where folders alone give the classes.

        Where a list gives the classes, folders 0, 1, 2 are as likely parts of a large set.
        """
        digits = name.isdecimal() and name not in (self.model.class_names or ())
        return None if not name or (digits and not by_index) else self.find(name)

    def translations(self) -> list[str]:
        """A note for the WordNet ids that were told by their words."""
        pairs = [f"{wnid} is {word}" for wnid, word in self._translated.items()]
        if not pairs:
            return []
        ids = counted(len(pairs), "WordNet id")
        return [f"{ids} that the model lacks, by LOC_synset_mapping.txt: {some_names(pairs)}"]

    def _seek(self, name: str) -> int | None:
        index, reason = self._ask(name)
        for word in self._synonyms.get(name, "").split(", ") if index is None else ():
            found, _ = self._ask(word) if word and not word.isdecimal() else (None, "")
            if found is not None:
                self._translated[name] = word
                return found
        if index is None:
            self.unknown[name] = reason
        return index

    def _ask(self, name: str) -> tuple[int | None, str]:
        """The index, or None and why it is not just missing."""
        known = (self.model.class_names or (), self.model.weights.wnids or ())
        if WNID.fullmatch(name) and not any(name in names for names in known):
            return None, ""  # of 21,000 such folders, nobody wants to hear which names are near
        try:
            return self.model.class_index(name), ""
        except InputError as error:
            several = re.search(r"names \d+ classes", str(error))
            return None, several[0] if several else ""
