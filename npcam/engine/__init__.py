"""The forward pass of `resnet` made fast. The results are the same up to rounding.

Read `schedule` first: it says which blocks are shared how by the threads, for how many photographs
at once. Then `passes`, which records a schedule, by `by_rows` and `by_channels`; these make a block
of the layers in `kernels` and `winograd`, all of whose matmuls are cut by `products`. `engine` is
what is called; `team` is the threads. What is multiplied with comes from `filters`, how it lies in
memory from `slices`, what is left out from `strides`, the sizes inside a block and the choice of its
3x3 from `geometry`, what this machine's BLAS can do from `blas`. `program` holds what is recorded,
and the memory.

One thing to know before any of them: inside a block an activation is kept without its bias, as
x - b. relu(conv + b) - b is max(conv, -b), so that bias and ReLU are one maximum with the vector
-b, which is called the `floor` of the layer; a zero of a padding is kept as the floor, too; and
what the next convolution misses by it, W b, is in that one's bias. A block's output is the true one.
"""

from npcam.engine.engine import Engine
from npcam.engine.filters import fold_batch_norm
from npcam.engine.schedule import Step, format_steps, scratch_bytes

__all__ = ["Engine", "Step", "fold_batch_norm", "format_steps", "scratch_bytes"]
