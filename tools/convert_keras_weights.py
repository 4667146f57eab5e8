"""Convert a Keras ResNet to npcam's HDF5: the same code as `npcam convert`, without the package's command.

Usage: python tools/convert_keras_weights.py SOURCE DESTINATION [--class-names FILE]
"""

import argparse
import sys

from npcam import InputError
from npcam.convert.conversion import convert


def main() -> int:
    """Convert one file; 0 if it was written, 2 if it cannot be converted."""
    parser = argparse.ArgumentParser(description="Convert a Keras ResNet to npcam's HDF5.")
    parser.add_argument("source", help="a .keras file, a .weights.h5, or a legacy .h5")
    parser.add_argument("destination", help="the file to write")
    parser.add_argument("--class-names", metavar="FILE", help="text file with one name a line, or JSON")
    arguments = parser.parse_args()
    try:
        weights = convert(arguments.source, arguments.destination, class_names=arguments.class_names)
    except InputError as error:
        print(f"convert_keras_weights: {error}", file=sys.stderr)
        return 2
    count = sum(array.size for arrays in weights.tensors.values() for array in arrays.values())
    print(f"{arguments.destination}: {len(weights.tensors)} layers, {count:,} weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
