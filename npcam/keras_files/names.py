"""Both schemes of names that Keras gave the layers of its ResNets, and what the names tell.

Until 2018: `conv1`, `bn_conv1`, `res2a_branch2a`, `bn2a_branch2a`, `fc1000`. Since then:
`conv1_conv`, `conv1_bn`, `conv2_block1_1_conv`, `conv2_block1_1_bn`, `predictions`.
"""

import re

_NEW = re.compile(r"conv1_(conv|bn)|conv[2-9]_block[1-9][0-9]{0,2}_[0-3]_(conv|bn)")
_OLD = re.compile(r"(?P<kind>res|bn)(?P<stage>[2-9])(?P<block>[a-z]|b[0-9]{1,3})_branch(?P<part>1|2a|2b|2c)")
_PARTS = {"1": 0, "2a": 1, "2b": 2, "2c": 3}
_V2 = re.compile(r"post_bn|conv[2-9]_block[0-9]+_preact_bn")


def new_name(name: str) -> str | None:
    """Today's name of a convolution or batch norm of Keras's ResNets; None for any other layer.

    >>> new_name("res3b_branch2c"), new_name("bn_conv1"), new_name("conv2_block1_0_bn")
    ('conv3_block2_3_conv', 'conv1_bn', 'conv2_block1_0_bn')
    >>> new_name("dense_1")
    """
    if _NEW.fullmatch(name):
        return name
    if name in ("conv1", "bn_conv1"):
        return "conv1_conv" if name == "conv1" else "conv1_bn"
    found = _OLD.fullmatch(name)
    if not found:
        return None
    letter, number = found["block"][0], found["block"][1:]
    block = int(number) + 1 if number else ord(letter) - ord("a") + 1
    kind = "conv" if found["kind"] == "res" else "bn"
    return f"conv{found['stage']}_block{block}_{_PARTS[found['part']]}_{kind}"


def is_old(name: str) -> bool:
    """Whether a name is of the scheme until 2018.

    >>> is_old("bn_conv1"), is_old("conv1_bn")
    (True, False)
    """
    return not _NEW.fullmatch(name) and new_name(name) is not None


def is_v2(name: str) -> bool:
    """Whether only a ResNetV2 has a layer of that name."""
    return _V2.fullmatch(name) is not None


def count_blocks(parts: "set[str]") -> tuple[int, ...]:
    """The blocks of each stage, told from the new names of a network's layers.

    >>> count_blocks({"conv1_conv", "conv2_block1_1_conv", "conv2_block2_1_conv", "conv3_block1_1_conv"})
    (2, 1)
    """
    last: dict[int, int] = {}
    for name in parts:
        found = re.match(r"conv([0-9]+)_block([0-9]+)_", name)
        if found:
            stage = int(found[1])
            last[stage] = max(last.get(stage, 0), int(found[2]))
    return tuple(last.get(stage, 1) for stage in range(2, max(last, default=1) + 1))
