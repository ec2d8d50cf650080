"""Bar charts and curves as SVG, drawn by hand: no library, readable on white and on black."""

from html import escape

WIDTH = 640
INK = "#808080"
COLOURS = ["#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8a900", "#0c8599", "#868e96"]


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def svg(height, parts):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13" fill="{INK}">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def text(x, y, words, anchor="start", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{escape(words)}</text>'


def bars(title, unit, rows, note=""):
    """A bar a row; rows are (name, median, lowest, highest), Postern's in its own colour."""
    left, right, step = 110, 90, 26
    scale = (WIDTH - left - right) / max([row[3] for row in rows] + [1e-9])
    parts = [text(8, 20, title, extra='font-weight="bold"'), text(8, 38, f"{unit}. {note}")]
    for i, (name, median, low, high) in enumerate(rows):
        y = 52 + i * step
        colour = COLOURS[0] if name == "postern" else COLOURS[1]
        parts.append(text(left - 8, y + 13, name, "end"))
        parts.append(
            f'<rect x="{left}" y="{y}" width="{max(median * scale, 1):.1f}" height="18" '
            f'fill="{colour}"/>'
        )
        if high > low:  # the spread
            a, b, middle = left + low * scale, left + high * scale, y + 9
            parts.append(
                f'<path d="M{a:.1f} {middle}H{b:.1f}M{a:.1f} {y + 5}v8M{b:.1f} {y + 5}v8" '
                f'stroke="{INK}" fill="none"/>'
            )
        parts.append(text(left + high * scale + 6, y + 13, number(median)))
    return svg(60 + len(rows) * step, parts)


def curves(title, unit, series, x_title):
    """Lines over a logarithmic x; series are {name: [(x, y), …]}."""
    from math import log10

    left, top, bottom, height = 70, 50, 60, 360
    points = [point for line in series.values() for point in line]
    if not points:
        return svg(60, [text(8, 20, title)])
    low, high = log10(min(x for x, _ in points)), log10(max(x for x, _ in points))
    peak = max(y for _, y in points) * 1.1 or 1

    def place(x, y):
        across = (log10(x) - low) / ((high - low) or 1)
        return (
            left + across * (WIDTH - left - 30),
            height - bottom - y / peak * (height - top - bottom),
        )

    parts = [text(8, 20, title, extra='font-weight="bold"'), text(8, 38, unit)]
    for i in range(5):
        _, y = place(points[0][0], peak * i / 4)
        parts.append(f'<path d="M{left} {y:.1f}H{WIDTH - 30}" stroke="{INK}" opacity="0.3"/>')
        parts.append(text(left - 6, y + 4, number(peak * i / 4), "end"))
    for x in sorted({x for x, _ in points}):
        parts.append(text(place(x, 0)[0], height - bottom + 18, f"{x:,}", "middle"))
    parts.append(text(WIDTH / 2, height - bottom + 36, x_title, "middle"))
    for i, (name, line) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = "L".join("%.1f %.1f" % place(x, y) for x, y in line)
        parts.append(f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>')
        for x, y in line:
            parts.append('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*place(x, y), colour))
        parts.append(text(left + i * 120, height - 8, name, extra=f'style="fill:{colour}"'))
    return svg(height, parts)
