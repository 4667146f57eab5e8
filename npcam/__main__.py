"""`python -m npcam` is `npcam`."""

import sys

from npcam.cli.commands import main

sys.exit(main())
