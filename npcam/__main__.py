"""`python -m npcam` is `npcam`."""

import sys

from npcam.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
