"""The audit of one class of one photograph, for reports."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npcam.model import Model
    from npcam.report.audited import Auditor


def auditor(model: "Model", interpolation: str = "nearest") -> "Auditor":
    """What audits one class of a pass; the networks with random weights are made once for all photographs."""
    from npcam.audit.photo import audit_photo
    from npcam.audit.randomise import randomised

    networks = randomised(model)
    return lambda seen, target: audit_photo(seen, target, interpolation=interpolation, networks=networks)
