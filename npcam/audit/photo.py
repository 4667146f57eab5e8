"""One photograph audited, for whoever shows it: the figures as entries, each with a picture."""

from typing import Any

from npcam.audit.charts import pictures
from npcam.audit.figures import entries
from npcam.audit.measure import measure
from npcam.audit.numbers import of_one
from npcam.audit.randomise import Randomised, randomised
from npcam.audit.saliency_card import saliency_card
from npcam.audit.subject import make_subject
from npcam.common.errors import InputError
from npcam.explain import Pass
from npcam.labels import Target
from npcam.shapes import Array


def audit_photo(
    seen: Pass,
    target: Target | None = None,
    *,
    interpolation: str = "nearest",
    boxes: Array | None = None,
    networks: tuple[Randomised, ...] | None = None,
) -> dict[str, Any]:
    """Audit the map of one class of one photograph.

    Args:
        seen: what the network made of the photograph.
        target: the class; None for the most probable one.
        interpolation: how the photograph was resized for that pass.
        boxes: (n, 4), the true boxes of the class, by their edges in pixels of the photograph.
        networks: of `npcam.audit.randomise.randomised`, for whoever audits several photographs.

    Returns:
        - `figures`: an entry for each figure, see `npcam.audit.figures.entries`; pictures are None without
          Matplotlib, and `notes` says so.
        - `numbers`: every number, by name.
        - `card`: the rows of the saliency card, see `npcam.audit.saliency_card`.
        - `notes`: what was left out.

    Raises:
        InputError: the class is unknown, or the network has no top.

    >>> from npcam.explain import look
    >>> from npcam.images.photos import open_photo
    >>> from npcam.model import load_model
    >>> (seen,) = look(load_model(), [open_photo("examples/chelsea.png")])
    >>> found = audit_photo(seen, "cat")
    >>> [entry["key"] for entry in found["figures"]][:4]
    ['deletion', 'insertion', 'drop', 'road']
    """
    subject = make_subject(seen, target, interpolation)
    row = measure(subject, randomised(seen.model) if networks is None else networks, boxes)
    numbers = of_one(row["numbers"])
    notes = notes_of(seen.model.gives_probabilities, "inside.mass" in numbers)
    try:
        drawn = pictures([row], numbers)
    except InputError as error:
        drawn = {}
        notes.append(str(error))
    return {
        "figures": entries(numbers, drawn),
        "numbers": {name: share.value for name, share in numbers.items()},
        "card": saliency_card(numbers, subject.e.cam.shape, seen.features.shape[2], 1),
        "notes": notes,
    }


def notes_of(gives_probabilities: bool, boxed: bool) -> list[str]:
    """What is left out and why."""
    notes = []
    if not gives_probabilities:
        what = "deletion, insertion, Average Drop and ROAD are left out"
        notes.append(f"the network's outputs are no probabilities: {what}")
    if not boxed:
        notes.append("no true box of a class that was explained: the evidence in the boxes is left out")
    return notes
