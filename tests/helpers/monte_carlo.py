"""Monte Carlo arithmetic: runs in float64 in which every activation is rounded at random.

Parker 1997 ("Monte Carlo Arithmetic: exploiting randomness in floating-point arithmetic", UCLA): what
the runs do not agree on is what rounding may change. Here each activation is multiplied by 1 + r, with
r uniform in -u to u, u being the unit roundoff of a float type.
"""

import numpy as np

from npcam import resnet
from npcam.weights import cast


def rounded_runs(weights, x, dtype, count, seed=0):
    """So many runs: for each, the logits (classes,) and the last maps (h, w, K), of one photograph."""
    rng, u = np.random.default_rng(seed), float(np.finfo(dtype).eps) / 2
    w = cast(cast(weights.tensors, dtype), np.float64)
    arch, found = weights.architecture, []
    for _ in range(count):
        kept = {}

        def keep(name, y, kept=kept):
            y = y * (1 + u * rng.uniform(-1, 1, y.shape))
            kept[name] = y
            return y

        maps = resnet.features(x.astype(np.float64), w, arch, keep)
        logits, _ = resnet.head(maps, w, arch, keep)
        found.append((logits[0], kept[resnet.last_activation(arch)][0]))
    return found
