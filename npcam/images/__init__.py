"""Photographs in. Pillow waits until it is needed."""
