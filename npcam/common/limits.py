"""Every limit that guards against a stranger's file, with its reason, on one page.

The limits are far above what any ResNet needs and far below what brings a machine down. A file that
goes beyond one of them is refused in one line. docs/convert.md shows this page.
"""

# A limit's name says whose it is. Sizes are in bytes unless the reason says otherwise.

# Any weights file
MAX_WEIGHTS_FILE = 2 * 2**30  # a file that is hashed; a ResNet-152 with its optimizer's state has 0.7 GB

# Any HDF5 file
MAX_HDF5_EXPANSION = 16  # bytes that come out of a file for each byte in it, besides the allowance
HDF5_ALLOWANCE = 64 * 2**20  # that may come out of a file however small it is
MAX_HDF5_MEMBERS = 10_000  # members of one group; a ResNet-152 in the older layout has 517
MAX_HDF5_DEPTH = 32  # groups in groups that `inspect` follows; a hard link may close a circle
MAX_HDF5_ATTRIBUTE = 65_536  # one attribute of fixed length; HDF5's own limit
MAX_HDF5_TEXT = 8 * 2**20  # one attribute of variable length; a ResNet-152's configuration takes 0.6 MB
MAX_HDF5_HEADER = 2**20  # one object's header
MAX_HDF5_HEADER_BLOCKS = 64  # pieces that a header is cut into
SMALLEST_HDF5_CHUNK = 4096  # a chunk on average; smaller ones only where they are few
FEW_HDF5_CHUNKS = 16  # chunks that may be of any size

# Keras's files
MAX_JSON = 8 * 2**20  # one configuration; a ResNet-152's takes 0.6 MB
MAX_KERAS_LAYERS = 5_000  # layers of all nested models together; a ResNet-152 has 517
MAX_KERAS_NESTING = 8  # models within models
MAX_PHOTO_CHANNELS = 64  # channels that layers in front of a ResNet make of a photograph's
MAX_HEAD_WEIGHTS = 60_000_000  # weights of a head folded into one kernel; 21,000 classes take 43 million
MAX_LAYER_ARRAYS = 16  # arrays of one layer; batch norm has four
MAX_ZIP_MEMBERS = 1_000  # members of a `.keras` file; Keras writes three, and some assets
MAX_ZIP_DIRECTORY = 2**20  # a zip's table of contents
MAX_ZIP_EXPANSION = 20  # unpacked bytes for each packed one; recompressed weights gain less than 2
MAX_ZIP_UNPACKED = 2**30  # a member that is compressed

# npcam's own files
MAX_STAGES = 8  # stages of residual blocks; Keras's ResNets have four
MAX_STAGE_BLOCKS = 1_000  # residual blocks of one stage; ResNet-152 has up to 36
MAX_STRIDE = 8  # the stride of one stage
MIN_INPUT_SIDE = 32  # pixels of one side of the network's input; of fewer, convolutions leave nothing
MAX_INPUT_SIDE = 10_000  # pixels of one side of the network's input
MAX_INPUT_PIXELS = 2_000_000  # pixels of the network's input; each takes 350 bytes on the way
MAX_PREPROCESSING_STEPS = 32  # steps between a photograph and the network; Keras's modes have up to three
MAX_RECORD_LAYERS = 10_000  # layers of a record; a ResNet-152 has 517
MAX_RECORD_BYTES = 4 * 2**30  # activations of a record in float64; a photograph through ResNet-152: 0.8 GB
MAX_NPZ_EXPANSION = 16  # bytes that come out of an `.npz` file for each byte in it, besides the allowance
NPZ_ALLOWANCE = 64 * 2**20  # that may come out of an `.npz` file however small it is

# Reports
MAX_REPORT_FILE = 256 * 2**20  # a report; one photograph with the full-size network takes below 2 MB
MAX_REPORT_SEARCH = 10**10  # "<" in a page times its letters: a comment without an end is sought to the end
MAX_REPORT_TAG = 4_000  # letters of one tag, without a picture in it; names of 500 letters may stand there
MAX_REPORT_PHOTOS = 1_000  # photographs of one report; npcam writes a file for up to 12
MAX_REPORT_PICTURE = 16 * 2**20  # one picture in a report; 1,024 pixels of noise take 2 MB
MAX_REPORT_LIST = 100_000  # members of one list: classes, boxes, notes
MAX_REPORT_TEXT = 10_000  # characters of one name or note

# Other input
MAX_BATCH_BYTES = 256 * 2**20  # a saved batch in float32; 445 photographs of 224x224
MAX_NPY_HEADER = 10_000  # what an `.npy` file says of its array; NumPy's own limit
MAX_LIST_BYTES = 256 * 2**20  # a list of paths on standard input; two million of them
MAX_PHOTO_SIDE = 65_535  # pixels of one side of a photograph; a JPEG's limit
MAX_PHOTO_BYTES = 832 * 2**20  # a photograph while it is decoded; one of 12,000x9,000 takes 0.4 GB or 0.8 GB
MAX_JPEG_SCANS = 100  # times that a progressive JPEG draws over itself; ten are usual
MAX_JPEG_SEGMENTS = 10_000  # segments of a JPEG; colour profiles and thumbnails take a few hundred
MAX_ICON_SIDE = 1_024  # pixels of one side of a picture in an ICO file; the format's limit is 256
MAX_NAMES_FILE = 8 * 2**20  # a file of class names; ImageNet-21k with synonyms is below 1 MiB
MAX_CLASS_NAME = 500  # characters of a class's name
MAX_BOX_LIST = 512 * 2**20  # a file of boxes; COCO's largest, of 118,287 photographs, has 448 MiB
MAX_BOX_XML = 2**20  # the XML of one photograph; PASCAL VOC's have some kilobytes
MAX_BOX_XML_DEPTH = 32  # elements within elements of such XML; PASCAL VOC's have five
MAX_PHOTO_BOXES = 1_000  # boxes of one photograph; COCO's fullest has below a hundred
MAX_LISTED_CLASSES = 50_000  # classes of a data set; ImageNet-21k has 21,841
MAX_MESSAGE = 1_000  # characters of an error message
