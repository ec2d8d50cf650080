"""The results as JSON, as Markdown and as plots."""

import json
import os
import platform
from statistics import median

from compare import plots


def spread(values):
    return median(values), min(values), max(values)


def rows_of(figure, results):
    """(peer, median, lowest, highest) of a figure, in the order of measurement."""
    return [(name, *spread(values)) for name, values in results.get(figure.name, {}).items() if values]


def opponent(figure, rows):
    """The row that Postern is held against; None where it is alone."""
    others = [row for row in rows if row[0] != "postern"]
    if figure.against != "best":
        others = [row for row in others if row[0] == figure.against]
    if not others:
        return None
    return (max if figure.higher_is_better else min)(others, key=lambda row: row[1])


def ratio_of(figure, rows):
    """Postern to its opponent; None where there is no such pair."""
    own = [row for row in rows if row[0] == "postern"]
    other = opponent(figure, rows)
    if not own or other is None or other[1] == 0:
        return None
    return own[0][1] / other[1]


def goal_of(figure, rows):
    """The goal and whether it was reached, as a table's cell."""
    own = [row[1] for row in rows if row[0] == "postern"]
    if figure.limit is not None:
        text, reached = f"≤ {figure.limit} {figure.unit}", own and own[0] <= figure.limit
    elif figure.goal is not None:
        ratio = ratio_of(figure, rows)
        text = f"{'≥' if figure.higher_is_better else '≤'} {figure.goal}"
        own = ratio is not None
        reached = own and (ratio >= figure.goal if figure.higher_is_better else ratio <= figure.goal)
    else:
        return ""
    return text + ((" yes" if reached else " **no**") if own else "")


def figure_table(figures, results):
    peers = []
    for figure in figures:
        peers += [row[0] for row in rows_of(figure, results) if row[0] not in peers]
    lines = ["| figure | unit | " + " | ".join(peers) + " | postern / peer | goal |"]
    lines.append("| --- | --- |" + " ---: |" * (len(peers) + 2))
    for figure in figures:
        rows = rows_of(figure, results)
        if not rows:
            continue
        cells = {row[0]: plots.number(row[1]) for row in rows}
        ratio = ratio_of(figure, rows)
        ratio = "" if ratio is None else f"{ratio:.2f} ({opponent(figure, rows)[0]})"
        columns = [figure.title, figure.unit] + [cells.get(peer, "") for peer in peers]
        lines.append("| " + " | ".join(columns + [ratio, goal_of(figure, rows)]) + " |")
    return "\n".join(lines)


def call_table(calls):
    units = list(calls)
    peers = []
    for unit in units:
        peers += [peer for peer in calls[unit]["peers"] if peer not in peers]
    lines = ["| system calls | " + " | ".join(peers) + " | goal |", "| --- |" + " ---: |" * (len(peers) + 1)]
    for unit in units:
        counts = calls[unit]["peers"]
        cells = [f"{counts[peer]['total']:.1f}" if peer in counts else "" for peer in peers]
        lines.append("| " + " | ".join([unit] + cells + [str(calls[unit]["goal"] or "")]) + " |")
    return "\n".join(lines)


def curve_table(curves):
    lines = []
    for name, lines_of in curves.items():
        for peer, points in lines_of.items():
            text = ", ".join(f"{x:,}: {plots.number(y)}" for x, y in points)
            lines.append(f"- {name}, {peer}: {text}")
    return "\n".join(lines)


def machine():
    model = platform.processor()
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {os.cpu_count()} processors, Linux {platform.release()}"


def write(folder, figures, outcome):
    """`outcome` is what run collected: values, curves, system calls, workers, versions."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "results.json"), "w") as file:
        json.dump(outcome, file, indent=1)
    for figure in figures:
        rows = rows_of(figure, outcome["figures"])
        if rows:
            note = "More is better." if figure.higher_is_better else "Less is better."
            with open(os.path.join(folder, figure.name + ".svg"), "w") as file:
                file.write(plots.bars(figure.title, figure.unit, rows, note))
    for name, series in outcome["curves"].items():
        with open(os.path.join(folder, "curve-" + name.replace(" ", "-") + ".svg"), "w") as file:
            file.write(plots.curves(name, outcome["curve_units"][name], series, "open sessions"))
    with open(os.path.join(folder, "results.md"), "w") as file:
        file.write(markdown(figures, outcome))


def markdown(figures, outcome):
    parts = [
        "# Results",
        f"{outcome['date']}, {machine()}; {outcome['repeats']} runs of {outcome['seconds']} s each, medians.",
        "Versions: " + "; ".join(f"{name} {text}" for name, text in outcome["versions"].items()) + ".",
        figure_table(figures, outcome["figures"]),
    ]
    if outcome["system_calls"]:
        parts.append(call_table(outcome["system_calls"]))
    if outcome["curves"]:
        parts.append(curve_table(outcome["curves"]))
    if outcome["workers"]:
        parts.append(
            "Two workers do this much of one worker's work in the same CPU time, and so twice that in the same "
            "time where there are processors for both:"
        )
        for name, ratio in outcome["workers"].items():
            parts.append(f"- {name}: {ratio:.2f} × 2 = {2 * ratio:.2f}")
    for line in outcome["problems"]:
        parts.append(f"- not measured: {line}")
    return "\n\n".join(parts) + "\n"
