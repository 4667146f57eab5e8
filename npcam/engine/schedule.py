"""The schedule of a pass, as data: which blocks, shared how by the threads, for how many photographs at once.

`passes` records what is written here, and `list_steps` makes of it the table that one can print.
"""

from collections.abc import Sequence
from typing import NamedTuple

from npcam.common.tables import align
from npcam.engine.filters import BlockFilters, Filters
from npcam.engine.geometry import Geometry, geometry, pooled_size, rows_of

SCRATCH = 512 << 20  # bytes of scratch memory, above which a batch is cut into smaller passes
MOST_EACH = 16  # photographs per thread in a pass: more than that makes conv5 no faster
TASKS = 2  # for each of more than two threads, where channels are shared
CHANNELS_ABOVE = 1000  # numbers in a block's kernels per position, above which channels are shared
GATHER_BELOW = 512  # blocks with fewer positions per photograph take several photographs at once


class Stretch(NamedTuple):
    """Blocks one after the other that are shared in the same way; there may be none.

    Attributes:
        shared: what a task takes of the work: "rows" or "channels" of all photographs, or
            "photographs" of a thread's own.
        shares: into how many tasks a phase is cut at most.
        at_once: how many photographs go through a block before the next block begins.
        blocks: the blocks, each with its sizes for so many photographs.
    """

    shared: str
    shares: int
    at_once: int
    blocks: tuple[tuple[BlockFilters, Geometry], ...]


class Schedule(NamedTuple):
    """A pass: the stem and every block, in three stretches.

    Attributes:
        filters: the network.
        size: (height, width) of the photographs.
        photographs: how many are in the pass.
        threads: how many threads share it.
        one_by_one: the blocks with many positions, which fill the cache with one photograph. The
            stem is done along with them. A single photograph's rows are shared.
        gathered: the blocks with fewer positions, for all photographs of a thread at once.
        together: the blocks with large filters, for all photographs of the pass at once.
    """

    filters: Filters
    size: tuple[int, int]
    photographs: int
    threads: int
    one_by_one: Stretch
    gathered: Stretch
    together: Stretch

    @property
    def each(self) -> int:
        """How many photographs a thread has of its own; 0 where they share a single one."""
        return self.photographs // self.threads if self.photographs > 1 else 0


class Step(NamedTuple):
    """One convolution with all that is done along with it.

    Attributes:
        layer: Keras's name of the convolution.
        method: how it is computed.
        output: (height, width, channels) of what it makes.
        shared: what each thread takes: "rows", "photographs" or "channels".
        photographs: how many go through at once.
        products: multiplications of the convolution, per photograph.
    """

    layer: str
    method: str
    output: tuple[int, int, int]
    shared: str
    photographs: int
    products: int


def scratch_bytes(photographs: int, height: int, width: int, threads: int) -> int:
    """An upper bound of the scratch memory of one pass, for the widths of Keras's ResNets in float32.

    One photograph takes 12 MB per thread and 350 bytes per pixel. Several at once, each thread
    with its own, take that per thread, and each of them 3.3 MB and 74 bytes per pixel for what it
    keeps until the late stages.

    >>> scratch_bytes(1, 224, 224, threads=2) / 1e6
    41.5616
    """
    pixels = height * width
    if photographs == 1:
        return threads * 12_000_000 + 350 * pixels
    return threads * (12_000_000 + 350 * pixels) + photographs * (3_300_000 + 74 * pixels)


def next_group(photographs: int, height: int, width: int, threads: int) -> int:
    """How many of so many photographs make the next pass: as many for every thread, or a single one.

    >>> [next_group(n, 224, 224, threads=2) for n in (1, 2, 7, 64)]
    [1, 2, 6, 32]
    """
    each = min(photographs // threads, MOST_EACH) if photographs > 1 else 0
    while each and scratch_bytes(each * threads, height, width, threads) > SCRATCH:
        each //= 2
    return max(1, each * threads)


def make_schedule(filters: Filters, photographs: int, size: tuple[int, int], threads: int) -> Schedule:
    """The schedule for a group of photographs, as `next_group` gives them, of `size` (height, width)."""
    h, w = pooled_size(*size, filters.pool_padding)
    early, late = _split_late(filters.blocks, h, w, photographs)
    if photographs == 1:
        stretches = [("rows", threads, 1, early), ("rows", threads, 1, [])]
    else:
        large, small = _split_small(early, h, w)
        stretches = [("photographs", 1, 1, large), ("photographs", 1, photographs // threads, small)]
    tasks = threads if threads <= 2 else TASKS * threads  # one that lost its core is not missed for long
    stretches.append(("channels", tasks, photographs, late))
    found = []
    for shared, shares, at_once, blocks in stretches:
        found.append(Stretch(shared, shares, at_once, _with_sizes(blocks, at_once, h, w)))
        if blocks:
            _, last = found[-1].blocks[-1]
            h, w = last.h, last.w
    return Schedule(filters, size, photographs, threads, *found)


def _split_late(
    blocks: list[BlockFilters], h: int, w: int, photographs: int
) -> tuple[list[BlockFilters], list[BlockFilters]]:
    """The blocks to share by positions, and those by channels: from the first large one on.

    A single photograph's rows are few for a smaller one, too.
    """
    for i, (block, g) in enumerate(_with_sizes(blocks, 1, h, w)):
        if block.large or (photographs == 1 and block.size > CHANNELS_ABOVE * g.h * g.w):
            return blocks[:i], blocks[i:]
    return blocks, []


def _split_small(blocks: list[BlockFilters], h: int, w: int) -> tuple[list[BlockFilters], list[BlockFilters]]:
    """The blocks with many positions per photograph, and those from the first with few of them on."""
    for i, (_, g) in enumerate(_with_sizes(blocks, 1, h, w)):
        if h * w < GATHER_BELOW:
            return blocks[:i], blocks[i:]
        h, w = g.h, g.w
    return blocks, []


def _with_sizes(
    blocks: list[BlockFilters], at_once: int, h: int, w: int
) -> tuple[tuple[BlockFilters, Geometry], ...]:
    """Each block with its sizes, the first one's input being of h x w positions."""
    found = []
    for block in blocks:
        g = geometry(block, at_once, h, w)
        found.append((block, g))
        h, w = g.h, g.w
    return tuple(found)


def list_steps(schedule: Schedule) -> list[Step]:
    """The convolutions of a schedule, in order; a projecting shortcut goes with its block's last."""
    filters = schedule.filters
    h, w = pooled_size(*schedule.size, filters.pool_padding)
    k = filters.stem.shape[1]
    h1, w1 = ((s - 1) // 2 + 1 for s in schedule.size)
    stem = "7x7 by im2col, ReLU after the pool"
    shared = schedule.one_by_one.shared
    steps = [Step("conv1_conv", stem, (h, w, k), shared, 1, h1 * w1 * filters.stem.size)]
    for stretch in (schedule.one_by_one, schedule.gathered, schedule.together):
        for block, g in stretch.blocks:
            steps += _block_steps(block, g, stretch)
    return steps


def _block_steps(block: BlockFilters, g: Geometry, stretch: Stretch) -> list[Step]:
    """The convolutions of one block."""
    stride = block.strides.stride_2
    f, f2, k3 = block.channels
    every = f", every {stride} positions" if stride > block.strides.same_stride else ""
    method, products = f"3x3 by im2col{every}", g.h * g.w * block.kernel_2.size
    if g.form:
        method = f"3x3 by Winograd F({g.form.tile}x{g.form.tile},3x3)"
        shares = stretch.shares if stretch.shared == "rows" else 1
        rows = [rows_of(g.h, share, shares) for share in range(shares)]
        tiles = sum(g.form.tiles(bottom - top, g.w) for top, bottom in rows)
        products = g.form.products * tiles * f * f2
    joined, terms = "1x1", f2
    if block.projects:
        joined, terms = "1x1 and shortcut as one", f2 + block.kernel_1.shape[1]
    how = stretch.shared, stretch.at_once
    return [
        Step(f"{block.name}_1_conv", "1x1", (g.h1, g.w1, f), *how, g.h1 * g.w1 * block.kernel_1.size),
        Step(f"{block.name}_2_conv", method, (g.h, g.w, f2), *how, products),
        Step(f"{block.name}_3_conv", joined, (g.h, g.w, k3), *how, g.h * g.w * terms * k3),
    ]


def format_steps(steps: Sequence[Step]) -> str:
    """A table of steps, as text, with the sum of the products."""
    rows = [("Layer", "Method", "Output", "Shared by", "At once", "Products")]
    for s in steps:
        shape = "x".join(map(str, s.output))
        rows.append((s.layer, s.method, shape, s.shared, str(s.photographs), f"{s.products / 1e6:,.1f} M"))
    rows.append(("Total", "", "", "", "", f"{sum(s.products for s in steps) / 1e6:,.1f} M"))
    return align(rows, right=(4, 5), rules=(0, len(rows) - 2))
