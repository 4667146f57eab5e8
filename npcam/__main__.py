"""`python -m npcam` is `npcam`."""

import sys

from npcam.cli import main

sys.exit(main())
