"""The plan as a list that one can print: every convolution, how it is computed and shared out."""

from collections.abc import Sequence
from typing import NamedTuple

from npcam.engine.filters import Block, Filters
from npcam.engine.geometry import geometry, pooled_size
from npcam.engine.layouts import split_large, split_small


class Step(NamedTuple):
    """One convolution with all that is done along with it.

    Attributes:
        layer: Keras's name of the convolution.
        method: how it is computed.
        output: (height, width, channels) of what it makes.
        shared: what each worker takes: "rows", "photographs" or "channels".
        photographs: how many go through at once.
        products: multiplications of the convolution, per photograph.
    """

    layer: str
    method: str
    output: tuple[int, int, int]
    shared: str
    photographs: int
    products: int


def list_steps(
    filters: Filters, pool_padding: int, group: int, size: tuple[int, int], workers: int
) -> list[Step]:
    """The steps for `group` photographs per worker, or, where it is 0, for one among all workers."""
    h, w = pooled_size(*size, pool_padding)
    early, late = split_large(filters.blocks)
    alone, together = split_small(early, h, w) if group else (early, [])
    k = filters.stem.shape[1]
    h1, w1 = ((s - 1) // 2 + 1 for s in size)
    shared = "photographs" if group else "rows"
    stem = "7x7 by im2col, ReLU after the pool"
    steps = [Step("conv1_conv", stem, (h, w, k), shared, 1, h1 * w1 * filters.stem.size)]
    runs = [(alone, shared, 1), (together, shared, group), (late, "channels", max(1, group * workers))]
    for blocks, shared, n in runs:
        for block in blocks:
            steps += _block_steps(block, n, h, w, shared)
            h, w = steps[-1].output[:2]
    return steps


def format_steps(steps: Sequence[Step]) -> str:
    """A table of steps, as text, with the sum of the products."""
    rows = [("Layer", "Method", "Output", "Shared by", "At once", "Products")]
    for s in steps:
        shape = "x".join(map(str, s.output))
        rows.append((s.layer, s.method, shape, s.shared, str(s.photographs), f"{s.products / 1e6:,.1f} M"))
    rows.append(("Total", "", "", "", "", f"{sum(s.products for s in steps) / 1e6:,.1f} M"))
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    right = (4, 5)
    lines = [
        "  ".join(
            cell.rjust(n) if i in right else cell.ljust(n)
            for i, (cell, n) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "  ".join("-" * n for n in widths)
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _block_steps(block: Block, n: int, h: int, w: int, shared: str) -> list[Step]:
    """The convolutions of one block; a projecting shortcut goes with the last."""
    g = geometry(block, n, h, w)
    plan = block.plan
    f, f2 = block.kernel_2.shape[2:]
    c3, k3 = block.kernel_3.shape
    tiles = -(-g.h // 4) * -(-g.w // 4)
    every = f", every {plan.stride_2} positions" if plan.stride_2 > plan.same_stride else ""
    direct = (f"3x3 by im2col{every}", g.h * g.w * block.kernel_2.size)
    method, products = ("3x3 by Winograd F(4x4,3x3)", 36 * tiles * f * f2) if g.winograd else direct
    joined = "1x1 and shortcut as one" if plan.projects else "1x1"
    return [
        Step(f"{plan.name}_1_conv", "1x1", (g.h1, g.w1, f), shared, n, g.h1 * g.w1 * block.kernel_1.size),
        Step(f"{plan.name}_2_conv", method, (g.h, g.w, f2), shared, n, products),
        Step(f"{plan.name}_3_conv", joined, (g.h, g.w, k3), shared, n, g.h * g.w * (c3 - 1) * k3),
    ]
