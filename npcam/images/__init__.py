"""Photographs in, pictures out. Pillow and SciPy wait until they are needed."""
