"""What Keras wrote, as the weights of one ResNet; no Keras is needed, and nothing in a file is run.

There are two roads, and `read` takes either from the file to `Weights`; start there. Where a file
holds its model's configuration, `unroll` makes one flat graph of it, `recognise` compares the graph
with a ResNet, and `assign` finds each layer's arrays. Where a file holds weights alone,
`weights_alone` tells the network by the names of the layers, or else by their order and shapes.
"""

from npcam.common.zips import is_zip
from npcam.keras_files.archive import open_archive
from npcam.keras_files.arrays import SavedLayer, has_layers
from npcam.keras_files.file import KerasFile, open_keras
from npcam.keras_files.graph import Graph, parse_json
from npcam.keras_files.names import count_blocks
from npcam.keras_files.read import expected_shapes, present_shapes, read_keras, recognise_file
from npcam.keras_files.recognise import recognise
from npcam.keras_files.unroll import read_graph

__all__ = [
    "Graph",
    "KerasFile",
    "SavedLayer",
    "count_blocks",
    "expected_shapes",
    "has_layers",
    "is_zip",
    "open_archive",
    "open_keras",
    "parse_json",
    "present_shapes",
    "read_graph",
    "read_keras",
    "recognise",
    "recognise_file",
]
