"""The old place of the drawing functions."""

from npcam.images import draw as old
from npcam.pictures import draw


def test_the_old_place_leads_to_the_new_one():
    """What programs imported from `npcam.images.draw` is the same functions."""
    assert {name: getattr(draw, name) for name in old.__all__} == {n: getattr(old, n) for n in old.__all__}
    assert {"overlay", "montage", "normalize"} <= set(old.__all__)
