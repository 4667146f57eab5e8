"""A bar chart of what `benchmark.py` found, as SVG, which every browser shows and git can compare."""

from typing import Any

ROW, LEFT, WIDE, GAP = 22, 210, 420, 34


def bar_chart(results: dict[str, Any]) -> str:
    """Photographs per second, one group of bars per batch size, the fastest on top."""
    batches = results["batches"]
    engines = results["engines"]
    best = max(1000 / engine["ms"][n] for engine in engines.values() for n in batches)
    height = len(batches) * (len(engines) * ROW + GAP) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDE + 70} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{LEFT + WIDE + 70}" height="{height}" fill="white"/>',
    ]
    y = 10
    for n in batches:
        y += GAP - 12
        parts.append(f'<text x="{LEFT}" y="{y}" font-weight="bold">batch {n}: photographs per second</text>')
        y += 8
        for name, engine in sorted(engines.items(), key=lambda item: item[1]["ms"][n]):
            rate = 1000 / engine["ms"][n]
            color = "#1f6f8b" if name == "npcam" else "#b8c4c9"
            wide = WIDE * rate / best
            parts += [
                f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{name}</text>',
                f'<rect x="{LEFT}" y="{y + 2}" width="{wide:.1f}" height="{ROW - 5}" fill="{color}"/>',
                f'<text x="{LEFT + wide + 5:.1f}" y="{y + 15}">{rate:.1f}</text>',
            ]
            y += ROW
        y += 4
    return "\n".join([*parts, "</svg>"]) + "\n"
