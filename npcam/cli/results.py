"""What `npcam explain` says of a photograph: as an object for JSON, and as words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from npcam.common.text import say

if TYPE_CHECKING:
    from npcam.explain import Explanation
    from npcam.labels import Prediction
    from npcam.pictures.versus import Versus


def in_json(e: "Explanation", boxes: int | None) -> dict[str, object]:
    """What a JSON object says of one class."""
    return {
        "target": e.target,
        "label": e.label,
        "probability" if e.gives_probabilities else "value": e.probability,
        "logit": e.logit,
        **_boxes_in_json(e, boxes),
        "completeness": e.completeness,
    }


def versus_in_json(versus: "Versus", boxes: int | None) -> dict[str, object]:
    """What a JSON object says of the difference to another class."""
    return {
        "target": versus.other,
        "label": versus.other_label,
        "logit_difference": versus.logit,
        **_boxes_in_json(versus, boxes),
        "completeness": versus.completeness,
    }


def say_result(
    found: dict[str, Any], top: Sequence["Prediction"], notes: Sequence[str], boxes: int | None
) -> None:
    """The same in words; values that are no probabilities are not shown as percentages."""
    say(str(found["photo"]))
    for _, name, value in top:
        say(f"  {value:7.2%}  {name}" if "probability" in found else f"  {value:9.4f}  {name}")
    for note in notes:
        say(f"  note          {note}")
    targets = found.get("targets", [found])
    for one in targets:
        say(f"  target        {one['label']} (class {one['target']}), logit {one['logit']:.4f}")
        if "versus" in one:
            against = one["versus"]
            say(f"  versus        {against['label']}, logits {against['logit_difference']:+.4f} apart")
        _say_boxes(one.get("versus", one), boxes)
        _say_digits(one)
        if "overlay" in one and len(targets) > 1:
            say(f"  overlay       {one['overlay']}")
    if not all("overlay" in one for one in targets) or len(targets) == 1:
        say(f"  overlay       {found['overlay']}")


def _boxes_in_json(shown: "Explanation | Versus", boxes: int | None) -> dict[str, object]:
    """The box, all boxes or the strongest ones, and what lies in them."""
    return {
        "box": shown.box,
        "everywhere": shown.everywhere,
        "evidence_in_box": shown.evidence_in_box,
        "boxes": [part._asdict() for part in shown.boxes[:boxes]],
    }


def _say_boxes(shown: dict[str, Any], boxes: int | None) -> None:
    """Where the evidence is, how much of it lies there, and whether the map accounts for the number."""
    if shown["box"] is None:
        say("  box           none: nothing speaks for this class")
    elif boxes:
        for number, part in enumerate(shown["boxes"], start=1):
            say(f"  {f'box {number}':12}  {part['box']}, {part['evidence']:.1%} of the evidence")
    else:
        share = f"{shown['evidence_in_box']:.1%} of the evidence"
        say(f"  box           {shown['box']}, {'everywhere' if shown['everywhere'] else share}")
    say(f"  completeness  {shown['completeness']:+.1e} (mean of map + bias - logit)")


def _say_digits(found: dict[str, Any]) -> None:
    """What rounding may do, where it was asked for."""
    if "digits" in found:
        from npcam.verify.digits import in_words

        for heading, line in zip(("digits", "", ""), in_words(found), strict=True):
            say(f"  {heading:<13} {line}")
