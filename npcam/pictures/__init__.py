"""Pictures out: arrays and names in, Pillow images out. Nothing here knows a network or changes a number."""
