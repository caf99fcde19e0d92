"""The medians of one table as bars, in SVG."""

import statistics
from html import escape

BAR, GAP, LEFT, WIDTH = 14, 18, 190, 640
COLOURS = {"opt-runtime": "#1f6f8b", "crun": "#e07a3f", "runc": "#8a8a8a", "bwrap": "#5c9e5c"}
OTHER = "#b9b2d6"


def bars(table):
    """An SVG of the table's rows, a group of bars for each; lengths are medians in the table's unit."""
    names = table.names()
    longest = max(statistics.median(values) for _, taken, _ in table.rows for values in taken.values())
    parts, y = [], 24
    for label, taken, _ in table.rows:
        parts.append(text(8, y + BAR, label, "font-weight='bold'"))
        for name in names:
            if name in taken:
                parts += bar(y, name, statistics.median(taken[name]), longest)
                y += BAR
        y += GAP
    head = text(8, 14, f"{table.title} ({table.unit})", "")
    return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{LEFT + WIDTH + 80}' height='{y}' "
            f"font-family='sans-serif' font-size='11'>\n<rect width='100%' height='100%' fill='white'/>\n{head}\n"
            + "\n".join(parts) + "\n</svg>\n")


def bar(y, name, value, longest):
    length = WIDTH * value / longest
    yield f"<rect x='{LEFT}' y='{y}' width='{length:.1f}' height='{BAR - 2}' fill='{COLOURS.get(name, OTHER)}'/>"
    yield text(LEFT + length + 4, y + BAR - 4, f"{value:.1f}", "")
    yield text(LEFT - 6, y + BAR - 4, name, "text-anchor='end'")


def text(x, y, words, attributes):
    return f"<text x='{x:.0f}' y='{y}' {attributes}>{escape(words)}</text>"
