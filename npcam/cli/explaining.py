"""What `npcam explain` does with a photograph that went through the network: numbers, pictures, maps."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from npcam.cli.drawing import draw_and_save, is_several, thumbnail
from npcam.cli.names import Names
from npcam.cli.results import in_json, versus_in_json
from npcam.pictures.saved import Origin

if TYPE_CHECKING:
    from PIL.Image import Image

    from npcam.explain import Explanation
    from npcam.labels import Prediction
    from npcam.stream.batches import Seen

# What a result does not depend on.
_ASIDE = (
    *("photos", "weights", "output", "json", "jsonl", "csv", "sort", "contact_sheet", "run", "top"),
    *("workers", "scheduler"),
)


class Explained(NamedTuple):
    """What became of a photograph; nothing of it stays in memory but this.

    Attributes:
        result: the object for JSON.
        top: its most probable classes.
        notes: on this photograph alone.
        thumbnail: for the contact sheet, if there will be one.
        caption: the lines below it.
    """

    result: dict[str, object]
    top: "list[Prediction]"
    notes: tuple[str, ...]
    thumbnail: "Image | None" = None
    caption: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explaining:
    """How each photograph is explained; it can be sent to another process.

    Attributes:
        options: the command's.
        names: what files are called.
        weights_sha256: of the weights file.
        provenance: what each JSON object says of how it came about.
    """

    options: argparse.Namespace
    names: Names
    weights_sha256: str
    provenance: dict[str, object] = field(repr=False)

    def __call__(self, one: "Seen") -> Explained:
        """Explain a photograph, and write its files."""
        options, seen = self.options, one.seen
        several = is_several(options)
        target = (options.target or [None])[0]
        found = list(seen.explain_all(options.target)) if several else [seen.explain(target)]
        against = [e.versus(options.versus) for e in found] if options.versus is not None else []
        rounding = [_digits(e, options) for e in found] if options.digits else []
        small = thumbnail((against or found)[0], options) if options.contact_sheet else None
        origin = Origin(one.sha256, self.weights_sha256)
        size = list(seen.photo.size)
        overlays = draw_and_save(against or found, self.names, one.number, origin, options)
        first, *_ = found
        kind = "probability" if first.gives_probabilities else "value"
        top = first.top(options.top)
        each = [in_json(e, options.boxes) for e in found]
        for said, versus in zip(each, against, strict=False):
            said["versus"] = versus_in_json(versus, options.boxes)
        for said, digits in zip(each, rounding, strict=False):
            said["digits"] = digits
        if len(overlays) > 1:
            for said, overlay in zip(each, overlays, strict=True):
                said["overlay"] = str(overlay)
        result: dict[str, object] = {
            "photo": one.path,
            "photo_sha256": one.sha256,
            "size": size,
            "exif_orientation": first.exif_orientation,
            "top": [{"index": p.index, "name": p.name, kind: p.probability} for p in top],
            **each[0],
            "overlay": str(overlays[0]),
            "notes": first.notes,
            **self.provenance,
        }
        if several:
            result["targets"] = each
        own = first.notes[len(seen.model.weights.assumptions) :]
        return Explained(result, top, own, small, ((against or found)[0].title, Path(one.path).name))


def options_in_json(options: argparse.Namespace) -> dict[str, object]:
    """The options that a result depends on."""
    return {name: value for name, value in sorted(vars(options).items()) if name not in _ASIDE}


def _digits(e: "Explanation", options: argparse.Namespace) -> object:
    """What rounding may do to an explanation, before its photograph is drawn on."""
    from npcam.images.preprocess import to_input
    from npcam.verify.digits import as_json, digits

    assert e.seen is not None
    model = e.seen.model
    pixels = to_input(e.photo, model.photo_size, options.interpolation, model.weights.preprocessing.grey)
    found = digits(model, model.preprocess(pixels[None]), e.target, options.align, options.threshold)
    return as_json(found, model.class_names)
