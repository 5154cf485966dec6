"""Plot the results as SVG: each row's ratio is a bar, scaled so that its goal is the line in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.measure import Row

LEFT, WIDTH, STEP = 260, 360, 26
FONT = 'font-family="sans-serif" font-size="13"'
LEGEND = "a shorter bar is better for goals with &lt;=, a longer one for goals with &gt;="
GOOD, BAD = "#2a7f4f", "#b3382c"


def svg(rows: Sequence[Row]) -> str:
    """Return the plot. The bar of a row that meets its goal is green."""
    height = STEP * len(rows) + 60
    middle = LEFT + WIDTH / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 220}" height="{height}" {FONT}>',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{middle}" y="20" text-anchor="middle" fill="#444">goal</text>',
        *(_bar(number, row) for number, row in enumerate(rows)),
        f'<line x1="{middle}" y1="26" x2="{middle}" y2="{height - 30}" stroke="#444" stroke-dasharray="4 3"/>',
        f'<text x="{LEFT}" y="{height - 10}" fill="#666" font-size="11">{LEGEND}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bar(number: int, row: Row) -> str:
    bound = float(row.goal.split(" ")[1])
    y, length = 30 + number * STEP, min(row.ratio / bound, 2) * WIDTH / 2
    colour = GOOD if row.met else BAD
    return (
        f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(row.name)}</text>'
        f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="18" fill="{colour}"/>'
        f'<text x="{LEFT + WIDTH + 8}" y="{y + 14}" fill="#444">{row.ratio:g} ({escape(row.goal)})</text>'
    )
