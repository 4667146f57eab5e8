"""What `benchmark.py` found, as Markdown."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper one, the smallest and largest value being within.

    >>> quartiles([1.0, 2.0, 3.0, 4.0, 9.0])
    (2.0, 3.0, 4.0)
    >>> quartiles([5.0])
    (5.0, 5.0, 5.0)
    """
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def markdown(rows: Iterable[Sequence[str]]) -> str:
    """A table, its first row being the head.

    >>> print(markdown([["a", "b"], ["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    head, *rest = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rest))


def batches_table(results: dict[str, Any]) -> str:
    """Every engine's times per photograph, npcam's lead, its start and its memory."""
    batches = results["batches"]
    head = ["engine", *(f"batch {n} ms" for n in batches), *(f"npcam is faster, batch {n}" for n in batches)]
    head += ["start to first result s", "peak MB batch 1", "peak MB"]
    rows = [head]
    for name, engine in results["engines"].items():
        own = [engine["ms"][n] for n in batches]
        cells = [f"{ms:.1f}" for ms in own]
        cells += [_lead(results, name, "ms", n) for n in batches]
        cells += [f"{engine['cold_start']:.1f}", f"{engine['peak_mb_1']:.0f}", f"{engine['peak_mb']:.0f}"]
        rows.append([name, *cells])
    return markdown(rows)


def load_table(results: dict[str, Any]) -> str:
    """Every engine's times quiet and under load, the quartiles in brackets, and npcam's lead in both.

    Under load single runs differ, hence the quartiles; the lead is that of the medians.
    """
    batches = results["batches"]
    head = ["engine"]
    for n in batches:
        head += [f"batch {n} ms, quiet", f"batch {n} ms, under load"]
        head += [f"npcam is faster, batch {n}, quiet", "under load"]
    rows = [head]
    for name, engine in results["engines"].items():
        cells = []
        for n in batches:
            cells += [_spread(engine, "", n), _spread(engine, "load_", n)]
            cells += [_lead(results, name, "ms", n), _lead(results, name, "load_ms", n)]
        rows.append([name, *cells])
    return markdown(rows)


def _spread(engine: dict[str, Any], kind: str, batch: int) -> str:
    """A median and its quartiles."""
    low, high = engine[f"{kind}quartiles"][batch]
    return f"{engine[f'{kind}ms'][batch]:.1f} ({low:.1f}-{high:.1f})"


def _lead(results: dict[str, Any], name: str, kind: str, batch: int) -> str:
    """How many times as long as npcam an engine takes; a dash where npcam was not asked."""
    engines = results["engines"]
    if "npcam" not in engines:
        return "-"
    return f"{engines[name][kind][batch] / engines['npcam'][kind][batch]:.2f}x"
