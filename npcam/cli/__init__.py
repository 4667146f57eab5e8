"""The command line: `npcam explain`, `convert`, `verify` and the others."""

from npcam.cli.commands import main

__all__ = ["main"]
