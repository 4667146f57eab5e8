"""Explain photographs of this folder and draw the pictures in the main README.

Usage: python examples/gallery.py docs
"""

import sys
from pathlib import Path

from PIL import Image

import npcam

HERE = Path(__file__).parent


def main() -> None:
    """Where the cat is; a cat and a dog on one scale; why a cat and not a church."""
    model, folder = npcam.load_model(), Path(sys.argv[1])
    both = beside("chelsea.png", "rocket.jpg")
    found = npcam.explain(model, both)
    pictures = {
        "gallery": found.figure(),
        "panel": npcam.explain(model, HERE / "chelsea.png", targets=["cat", "dog"]).figure(),
        "versus": found.versus("church").figure(),
    }
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.jpg", quality=88)


def beside(*names: str) -> Image.Image:
    """Photographs side by side, all 300 pixels high, as one photograph."""
    parts = []
    for name in names:
        with Image.open(HERE / name) as image:
            part = image.convert("RGB")
        parts.append(part.resize((round(part.width * 300 / part.height), 300), Image.Resampling.LANCZOS))
    sheet = Image.new("RGB", (sum(part.width for part in parts), 300))
    x = 0
    for part in parts:
        sheet.paste(part, (x, 0))
        x += part.width
    return sheet


if __name__ == "__main__":
    main()
