"""How kernels lie in memory: in slices of some output channels, and in which pieces tasks share them."""

from itertools import pairwise
from typing import NamedTuple

from npcam.shapes import Array

SLICE = 128  # output channels of a slice of a large block, where that makes enough slices for all threads
SMALL_SLICE = 64  # of any block where BLAS packs nothing of small matrices, and of Winograd's filters
WINOGRAD_SMALL = 1 << 14  # input times output channels of a slice of them at most
UNEVEN = 1.2  # how much longer one thread may work than all do on average
LARGE = 1 << 21  # numbers in a block's kernels, above which a batch shares it by channels
SHARED = 1 << 20  # the same where a single photograph does
GRAIN = 16  # channels to a piece of a slice: what BLAS multiplies at a time


class Machine(NamedTuple):
    """What filters are laid out for.

    Attributes:
        threads: how many share them.
        unpacked: see `npcam.engine.blas.unpacked_products`.
    """

    threads: int
    unpacked: int = 0

    def slices(self, channels: int, size: int) -> int:
        """In how many slices a kernel lies, in a block of so many numbers.

        The kernels of a large block lie in several, those of others in one. Reason: few positions go
        through a large block, so little is computed with what is read, and memory is read faster in
        one piece: 147 instead of 128 GFLOP/s. Where BLAS packs nothing of small matrices, all kernels
        lie in slices so narrow that they are small.
        """
        if self.unpacked:
            return slices_of(channels, self._sharing(size), SMALL_SLICE)
        return slices_of(channels, self.threads) if is_large(size) else 1

    def winograd_slices(self, terms: int, channels: int, size: int) -> int:
        """Into how many slices one slice of a kernel is cut in a form of Winograd's.

        `size` is 0 where the slices are already as many as the threads need. Reason for narrow ones: see
        `npcam.engine.blas.unpacked_products`. Where BLAS packs all matrices they cost a hundredth of
        the whole.
        """
        return slices_of(channels, self._sharing(size), min(SMALL_SLICE, WINOGRAD_SMALL // terms))

    def _sharing(self, size: int) -> int:
        """How many threads share the channels of a block of so many numbers."""
        return self.threads if size > SHARED else 1


def is_large(size: int) -> bool:
    """Whether a block of so many numbers is shared by channels in a batch, too."""
    return size > LARGE


def slices_of(channels: int, threads: int, width: int = SLICE) -> int:
    """Into how many slices some output channels are cut: as many for every thread, `width` wide or less.

    Reason for wide ones: each slice's matmul packs the activations anew.

    >>> [slices_of(512, threads) for threads in (1, 2, 3, 6, 16)]
    [4, 4, 8, 16, 16]
    """
    least = max(threads, channels // max(width, 1))
    counts = [n for n in range(least, 4 * least) if channels % n == 0]
    return min(counts, key=lambda n: (-(-n // threads) * threads / n > UNEVEN, n), default=1)


def pieces(kernel: Array, count: int) -> list[tuple[Array, slice]]:
    """A kernel (S, ..., k) in `count` pieces or a few more, and the output channels that each of them makes.

    They are views, (S', ..., k'): of some slices, or of some channels of one slice where the pieces
    are more than the slices.

    >>> import numpy as np
    >>> [channels for _, channels in pieces(np.ones((2, 3, 48)), 4)]
    [slice(0, 16, None), slice(16, 48, None), slice(48, 64, None), slice(64, 96, None)]
    """
    slices, width = len(kernel), kernel.shape[-1]
    if slices >= count:
        edges = [slices * i // count for i in range(count + 1)]
        return [(kernel[a:b], slice(a * width, b * width)) for a, b in pairwise(edges)]
    each = -(-count // slices)
    grain = GRAIN if width >= GRAIN * each else 1
    edges = sorted({width * i // each // grain * grain for i in range(each)} | {width})
    return [
        (kernel[s : s + 1, ..., a:b], slice(s * width + a, s * width + b))
        for s in range(slices)
        for a, b in pairwise(edges)
    ]
