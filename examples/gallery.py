"""Explain photographs of this folder and draw them side by side.

Usage: python examples/gallery.py docs/gallery.jpg
"""

import sys
from pathlib import Path

from PIL import Image

import npcam
from npcam.pictures.draw import montage

HERE = Path(__file__).parent


def main() -> None:
    """Photograph, evidence for its class, evidence for another class: one row each."""
    model = npcam.load_model()
    tiles = []
    for name, other in (("chelsea.png", "dog"), ("rocket.jpg", "parachute")):
        seen = npcam.explain(model, HERE / name)
        else_seen = npcam.explain(model, HERE / name, target=other)
        tiles += [seen.photo, seen.overlay(), else_seen.overlay()]
    sheet = montage([tile.resize((451, 300), Image.Resampling.LANCZOS) for tile in tiles], columns=3)
    sheet.save(sys.argv[1], quality=88)


if __name__ == "__main__":
    main()
