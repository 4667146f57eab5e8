"""The page of a report: one file that asks for nothing, and computes its maps itself."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from npcam.common import web
from npcam.common.text import percentage
from npcam.labels import as_written
from npcam.pictures import colormaps
from npcam.pictures.overlay import Scale, make_scale
from npcam.report.canonical import canonical
from npcam.verify.digits import in_words

Data = Mapping[str, Any]

CHECKOUT = "or `pip install '.[report]'` in a copy of the repository"
PROBABILITIES = ("softmax", "sigmoid")  # the activations that give some
ONE_SIDED = ("ember", *(name for name in colormaps.NAMES if name != "ember"))  # the usual one first
STATED = {  # what the card says of the network, in this order
    "network": "Network",
    "last_activation": "Layer of the maps",
    "map": "Maps: height, width, number",
    "input_size": "Input: height, width",
    "preprocessing": "Preprocessing",
    "classes": "Classes",
    "activation": "Last activation",
    "weights": "Weights file",
    "weights_sha256": "SHA-256 of that file",
    "tensors_sha256": "SHA-256 of its tensors",
    "source": "Converted from",
    "source_sha256": "SHA-256 of that file",
    "converter": "Converted by",
}


def write_page(path: str | Path, bundle: Data, pictures: Sequence[bytes]) -> None:
    """Write a report as one HTML file, in which the pictures, the style, the script and all numbers lie.

    Args:
        path: the file; the old one is replaced as a whole.
        bundle: the numbers: photographs with their maps f_k, classes with their weights w_k, the network.
        pictures: for each photograph of the bundle the bytes of a JPEG.

    Raises:
        InputError: there is no Jinja2, or the page cannot be written.
        ValueError: there is not one picture for each photograph.
    """
    photos = [
        _photo(photo, picture, bundle) for photo, picture in zip(bundle["photos"], pictures, strict=True)
    ]
    title = f"{photos[0]['name']}: {photos[0]['title']}" if len(photos) == 1 else f"{len(photos)} photographs"
    web.write_page(
        path,
        "npcam.report",
        "report",
        CHECKOUT,
        scripts=("make.js", "maps.js"),
        title=title,
        heading=photos[0]["name"] if len(photos) == 1 else title,
        npcam=bundle["npcam"],
        photos=photos,
        one_sided=ONE_SIDED,
        two_sided=tuple(colormaps.TWO_SIDED),
        alpha=round(100 * Scale(1.0).alpha),
        weights_name=bundle["model"]["weights"],
        most_maps=bundle["model"]["map"][2],
        card=card(bundle),
        data=canonical(bundle),
        colours=web.in_script(_colours()),
    )


def card(bundle: Data) -> dict[str, Any]:
    """What stands on the network's card: lines of (what, value), versions, options, findings, notes."""
    model = bundle["model"]
    return {
        "lines": [(words, _plain(model[key])) for key, words in STATED.items() if model.get(key) is not None],
        "findings": [_finding(one) for one in model.get("findings") or ()],
        "notes": [*(model.get("assumptions") or ()), *(model.get("notes") or ())],
        "versions": sorted((model.get("versions") or {}).items()),
        "options": [
            (key.replace("_", " "), _plain(value)) for key, value in sorted(bundle["options"].items())
        ],
    }


def share_of(value: float, activation: str) -> str:
    """A class's probability as people read it; what a linear top gives is no percentage.

    >>> share_of(0.9999, "softmax"), share_of(0.0001, "softmax"), share_of(12.3456, "linear")
    ('>99.9%', '<0.1%', '12.35')
    """
    return percentage(value) if activation in PROBABILITIES else f"{value:.4g}"


def _photo(photo: Data, picture: bytes, bundle: Data) -> dict[str, Any]:
    """What the template shows of a photograph."""
    activation = str(bundle["model"]["activation"])
    target = next(one for one in photo["classes"] if one["index"] == photo["target"])
    shown = [
        {
            "index": one["index"],
            "name": as_written(one["name"]),
            "share": share_of(one["probability"], activation),
            "bar": f"{100 * min(max(one['probability'], 0), 1):.2f}" if activation in PROBABILITIES else "0",
            "logit": f"{one['logit']:.3f}",
            "explained": one is target,
        }
        for one in photo["classes"]
    ]
    digits = photo.get("digits")
    return {
        "name": photo["photo"],
        "title": f"{as_written(target['name'])} {share_of(target['probability'], activation)}",
        "target": target,
        "target_name": as_written(target["name"]),
        "width": photo["size"][0],
        "height": photo["size"][1],
        "ratio": f"{photo['picture']['width'] / photo['picture']['height']:.4f}",
        "picture": photo["picture"],
        "jpeg": base64.b64encode(picture).decode("ascii"),
        "sha256": photo["photo_sha256"],
        "lies": photo.get("exif_orientation"),
        "classes": shown,
        "digits": in_words({"logit": target["logit"], "digits": digits}) if digits else [],
        "audit": _audit(photo["audit"]) if photo.get("audit") else None,
    }


def _audit(audit: Data) -> dict[str, Any]:
    """What the template shows of an audit: its figures, its saliency card by groups, what was left out."""
    groups: dict[str, list[Data]] = {}
    for row in audit.get("card") or ():
        groups.setdefault(row["group"], []).append(row)
    figures = [_figure(entry) for entry in audit["figures"]]
    return {"figures": figures, "groups": groups, "notes": audit.get("notes") or ()}


def _figure(entry: Data) -> dict[str, Any]:
    """A figure of an audit: its number with its interval, its sentence, its paper, its picture."""
    low, high, of, picture = (entry.get(key) for key in ("low", "high", "interval", "picture"))
    interval = "" if low is None or high is None else f"{_plain(low)} to {_plain(high)}"
    return {
        **{key: entry[key] for key in ("title", "sentence", "paper")},
        "value": _plain(entry["value"]),
        "interval": ", ".join(filter(None, (interval, of))),
        "picture": picture and f"data:{picture['mime']};base64,{picture['base64']}",
    }


def _finding(one: Any) -> str:
    """A finding in words: what it is, and where."""
    return f"{one['what']} ({one['where']})" if isinstance(one, Mapping) else str(one)


def _plain(value: Any) -> str:
    """A value as it is read: no brackets, no quotes."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value)) or "none"
    return json.dumps(value) if isinstance(value, Mapping) else str(value)


def _colours() -> dict[str, Any]:
    """The tables of colours in hexadecimal, and how opaque the fullest tint of a scale is."""
    return {
        "one": {name: colormaps.colormap(name).tobytes().hex() for name in ONE_SIDED},
        "two": {name: colormaps.two_sided(name).tobytes().hex() for name in colormaps.TWO_SIDED},
        "alpha": [make_scale(1.0, signed).alpha for signed in (False, True)],
    }
