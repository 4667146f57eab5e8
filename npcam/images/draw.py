"""The old place of `npcam.pictures.draw`, for programs that import it from here."""

from npcam.pictures.draw import check_style, montage, normalize, overlay

__all__ = ["check_style", "montage", "normalize", "overlay"]
