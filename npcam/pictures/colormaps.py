"""Colour tables: the colours that a heat map's values are drawn in.

viridis and magma are by Stefan van der Walt and Nathaniel Smith (CC0, from Matplotlib 2015); turbo
is by Anton Mikhailov, Copyright 2019 Google LLC, Apache License 2.0 (see NOTICE). They are kept as
the bytes of 256 RGB colours in hexadecimal. jet, grey, ember and the two-sided table are formulas.
"""

from functools import cache

import numpy as np

from npcam.common.errors import InputError
from npcam.shapes import Array

VIRIDIS = """
44015444025645045745055946075a46085c460a5d460b5e470d60470e61471063471164471365481467481668481769
48186a481a6c481b6d481c6e481d6f481f70482071482173482374482475482576482677482878482979472a7a472c7a
472d7b472e7c472f7d46307e46327e46337f463480453581453781453882443983443a83443b84433d84433e85423f85
4240864241864142874144874045884046883f47883f48893e49893e4a893e4c8a3d4d8a3d4e8a3c4f8a3c508b3b518b
3b528b3a538b3a548c39558c39568c38588c38598c375a8c375b8d365c8d365d8d355e8d355f8d34608d34618d33628d
33638d32648e32658e31668e31678e31688e30698e306a8e2f6b8e2f6c8e2e6d8e2e6e8e2e6f8e2d708e2d718e2c718e
2c728e2c738e2b748e2b758e2a768e2a778e2a788e29798e297a8e297b8e287c8e287d8e277e8e277f8e27808e26818e
26828e26828e25838e25848e25858e24868e24878e23888e23898e238a8d228b8d228c8d228d8d218e8d218f8d21908d
21918c20928c20928c20938c1f948c1f958b1f968b1f978b1f988b1f998a1f9a8a1e9b8a1e9c891e9d891f9e891f9f88
1fa0881fa1881fa1871fa28720a38620a48621a58521a68522a78522a88423a98324aa8325ab8225ac8226ad8127ad81
28ae8029af7f2ab07f2cb17e2db27d2eb37c2fb47c31b57b32b67a34b67935b77937b87838b9773aba763bbb753dbc74
3fbc7340bd7242be7144bf7046c06f48c16e4ac16d4cc26c4ec36b50c46a52c56954c56856c66758c7655ac8645cc863
5ec96260ca6063cb5f65cb5e67cc5c69cd5b6ccd5a6ece5870cf5773d05675d05477d1537ad1517cd2507fd34e81d34d
84d44b86d54989d5488bd6468ed64590d74393d74195d84098d83e9bd93c9dd93ba0da39a2da37a5db36a8db34aadc32
addc30b0dd2fb2dd2db5de2bb8de29bade28bddf26c0df25c2df23c5e021c8e020cae11fcde11dd0e11cd2e21bd5e21a
d8e219dae319dde318dfe318e2e418e5e419e7e419eae51aece51befe51cf1e51df4e61ef6e620f8e621fbe723fde725
"""

MAGMA = """
00000401000501010601010802010902020b02020d03030f03031204041405041606051806051a07061c08071e090720
0a08220b09240c09260d0a290e0b2b100b2d110c2f120d31130d34140e36150e38160f3b180f3d19103f1a10421c1044
1d11471e114920114b21114e22115024125325125527125829115a2a115c2c115f2d11612f1163311165331067341069
36106b38106c390f6e3b0f703d0f713f0f72400f74420f75440f764510774710784910784a10794c117a4e117b4f127b
51127c52137c54137d56147d57157e59157e5a167e5c167f5d177f5f187f601880621980641a80651a80671b80681c81
6a1c816b1d816d1d816e1e81701f81721f817320817521817621817822817922827b23827c23827e2482802582812581
8326818426818627818827818928818b29818c29818e2a81902a81912b81932b80942c80962c80982d80992d809b2e7f
9c2e7f9e2f7fa02f7fa1307ea3307ea5317ea6317da8327daa337dab337cad347cae347bb0357bb2357bb3367ab5367a
b73779b83779ba3878bc3978bd3977bf3a77c03a76c23b75c43c75c53c74c73d73c83e73ca3e72cc3f71cd4071cf4070
d0416fd2426fd3436ed5446dd6456cd8456cd9466bdb476adc4869de4968df4a68e04c67e24d66e34e65e44f64e55064
e75263e85362e95462ea5661eb5760ec5860ed5a5fee5b5eef5d5ef05f5ef1605df2625df2645cf3655cf4675cf4695c
f56b5cf66c5cf66e5cf7705cf7725cf8745cf8765cf9785df9795df97b5dfa7d5efa7f5efa815ffb835ffb8560fb8761
fc8961fc8a62fc8c63fc8e64fc9065fd9266fd9467fd9668fd9869fd9a6afd9b6bfe9d6cfe9f6dfea16efea36ffea571
fea772fea973feaa74feac76feae77feb078feb27afeb47bfeb67cfeb77efeb97ffebb81febd82febf84fec185fec287
fec488fec68afec88cfeca8dfecc8ffecd90fecf92fed194fed395fed597fed799fed89afdda9cfddc9efddea0fde0a1
fde2a3fde3a5fde5a7fde7a9fde9aafdebacfcecaefceeb0fcf0b2fcf2b4fcf4b6fcf6b8fcf7b9fcf9bbfcfbbdfcfdbf
"""

TURBO = """
30123b32154333184a341b51351e5836215f37246638276d392a733a2d793b2f803c32863d358b3e38913f3b973f3e9c
4040a24143a74146ac4249b1424bb5434eba4451bf4454c34456c74559cb455ccf455ed34661d64664da4666dd4669e0
466be3476ee64771e94773eb4776ee4778f0477bf2467df44680f64682f84685fa4687fb458afc458cfd448ffe4391fe
4294ff4196ff4099ff3e9bfe3d9efe3ba0fd3aa3fc38a5fb37a8fa35abf833adf731aff52fb2f42eb4f22cb7f02ab9ee
28bceb27bee925c0e723c3e422c5e220c7df1fc9dd1ecbda1ccdd81bd0d51ad2d21ad4d019d5cd18d7ca18d9c818dbc5
18ddc218dec018e0bd19e2bb19e3b91ae4b61ce6b41de7b21fe9af20eaac22ebaa25eca727eea42aefa12cf09e2ff19b
32f29835f39438f4913cf58e3ff68a43f78746f8844af8804ef97d52fa7a55fa7659fb735dfc6f61fc6c65fd6969fd66
6dfe6271fe5f75fe5c79fe597dff5680ff5384ff5188ff4e8bff4b8fff4992ff4796fe4499fe429cfe409ffd3fa1fd3d
a4fc3ca7fc3aa9fb39acfb38affa37b1f936b4f836b7f735b9f635bcf534bef434c1f334c3f134c6f034c8ef34cbed34
cdec34d0ea34d2e935d4e735d7e535d9e436dbe236dde037dfdf37e1dd37e3db38e5d938e7d739e9d539ebd339ecd13a
eecf3aefcd3af1cb3af2c93af4c73af5c53af6c33af7c13af8be39f9bc39faba39fbb838fbb637fcb336fcb136fdae35
fdac34fea933fea732fea431fea130fe9e2ffe9b2dfe992cfe962bfe932afe9029fd8d27fd8a26fc8725fc8423fb8122
fb7e21fa7b1ff9781ef9751df8721cf76f1af66c19f56918f46617f36315f26014f15d13f05b12ef5811ed5510ec530f
eb500eea4e0de84b0ce7490ce5470be4450ae2430ae14109df3f08dd3d08dc3b07da3907d83706d63506d43305d23105
d02f05ce2d04cc2b04ca2a04c82803c52603c32503c12302be2102bc2002b91e02b71d02b41b01b21a01af1801ac1701
a91601a71401a41301a112019e10019b0f01980e01950d01920b018e0a018b09028808028507028106027e05027a0403
"""

# Matplotlib's jet, which the CAM tutorials draw with; MATLAB's has its corners at other places.
# For red, green and blue: the positions of the corners, and the values there.
JET = (
    ((0.35, 0.66, 0.89, 1.0), (0.0, 1.0, 1.0, 0.5)),
    ((0.125, 0.375, 0.64, 0.91), (0.0, 1.0, 1.0, 0.0)),
    ((0.0, 0.11, 0.34, 0.65), (0.5, 1.0, 1.0, 0.0)),
)

# From dark violet over red to yellow, lighter with every step: saturated, so that it is seen on white, grey
# and black, and told apart by its lightness alone. Positions, and red, green and blue there.
EMBER = ((0.0, 0.5, 1.0), ((90, 0, 120), (255, 60, 30), (255, 225, 60)))

# Two-sided: what speaks against a class, and what speaks for it, each from the fullest colour to the palest
# and back; people who do not tell red from green tell the sides apart. Between them 0 is grey, with no tint.
TWO_SIDED = {
    "blue-vermilion": (((40, 70, 255), (120, 140, 255)), ((255, 150, 90), (240, 70, 0))),
    "magenta-green": (((190, 0, 170), (235, 120, 220)), ((130, 215, 130), (0, 150, 40))),
}
NEUTRAL = (128, 128, 128)

NAMES = ("viridis", "jet", "turbo", "magma", "grey", "ember")


@cache
def colormap(name: str) -> Array:
    """The 256 colours of a colormap, for values from 0 to 1: (256, 3) uint8, RGB, read-only.

    Args:
        name: "viridis", "turbo", "magma", "grey", "ember", or "jet", the rainbow of the CAM tutorials,
            which shows steps where there are none.

    Raises:
        InputError: an unknown name.

    >>> colormap("grey")[[0, 255]].tolist()
    [[0, 0, 0], [255, 255, 255]]
    """
    ramp = np.linspace(0, 1, 256)  # (256,)
    if name == "grey":
        return _bytes(np.stack([ramp, ramp, ramp], axis=-1))
    if name == "jet":
        return _bytes(np.stack([np.interp(ramp, *channel) for channel in JET], axis=-1))
    if name == "ember":
        return _between(*EMBER)
    tables = {"viridis": VIRIDIS, "magma": MAGMA, "turbo": TURBO}
    if name not in tables:
        raise InputError(f"colormap {name!r}: expected one of {', '.join(NAMES)}")
    return np.frombuffer(bytes.fromhex(tables[name]), np.uint8).reshape(256, 3)


@cache
def two_sided(name: str = "blue-vermilion") -> Array:
    """The 256 colours of a signed scale: index 128 is 0, 1 speaks most against, 255 most for.

    Args:
        name: "blue-vermilion", or "magenta-green" for photographs that are orange or blue themselves.

    Returns:
        (256, 3) uint8, RGB, read-only.

    Raises:
        InputError: an unknown name.

    >>> two_sided()[[1, 128, 255]].tolist()
    [[40, 70, 255], [128, 128, 128], [240, 70, 0]]
    """
    if name not in TWO_SIDED:
        expected = " or ".join(TWO_SIDED)
        raise InputError(f"colormap {name!r}: a signed scale has two colours of its own, {expected}")
    against, towards = (_between((0.0, 1.0), side, steps=127) for side in TWO_SIDED[name])
    table = np.concatenate([against[:1], against, np.array([NEUTRAL], np.uint8), towards])  # (256, 3)
    table.flags.writeable = False
    return table


def _between(places: tuple[float, ...], colours: tuple[tuple[int, ...], ...], steps: int = 256) -> Array:
    """Colours between those at some places from 0 to 1, in equal steps."""
    ramp = np.linspace(0, 1, steps)
    return _bytes(np.stack([np.interp(ramp, places, c) for c in np.transpose(colours) / 255], axis=-1))


def _bytes(colours: Array) -> Array:
    """Colours from 0 to 1 as bytes from 0 to 255, rounded."""
    table: Array = np.rint(colours * 255).astype(np.uint8)
    table.flags.writeable = False  # they are kept
    return table
