# SPDX-License-Identifier: Apache-2.0
"""Rows for people and for programs: a line of the table, bench/results/block.json, the chart, and the table in docs/performance.md."""

import json
import os
import platform

HEADING = f"{'row':34} {'kiln':>10} {'peer':>10} {'unit':5} {'ratio':>6} {'target':>6}  spread        peer"
BEGIN, END = "<!-- figures: written by tools/bench-block -->", "<!-- end of figures -->"
BAR_PIXELS, ROW_PIXELS, LEFT_PIXELS, MOST_RATIO = 160, 20, 330, 4.0


def machine(rounds):
    return f"{os.cpu_count()} processors, Linux {platform.release().split('-')[0]}, load {os.getloadavg()[0]:.1f}, {rounds} rounds"


def line(row):
    target = f"{row['target']:.2f}" if row["target"] else "-"
    noisy = f"  noisy: the control moved by {row['noisy']:.0%}" if "noisy" in row else ""
    least, most = row["spread"]
    return (
        f"{row['id']:34} {row['kiln']:10.1f} {row['peer']:10.1f} {row['unit']:5} {row['ratio']:6.2f} {target:>6}  "
        f"{least:.2f}-{most:.2f}     {row['peer_name']}{noisy}"
    )


def results_path(root, name):
    return os.path.join(root, "bench/results", name)


def load(root):
    try:
        with open(results_path(root, "block.json"), encoding="utf-8") as file:
            return json.load(file)["rows"]
    except FileNotFoundError:
        return []


def save(root, row):
    """Puts the row in its place among those measured before."""
    rows = [other for other in load(root) if other["id"] != row["id"]] + [row]
    rows.sort(key=sort_key)
    os.makedirs(os.path.dirname(results_path(root, "block.json")), exist_ok=True)
    temporary = results_path(root, "block.json.new")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write('{"rows": [\n  ' + ",\n  ".join(json.dumps(row) for row in rows) + "\n]}\n")
    os.replace(temporary, results_path(root, "block.json"))


def sort_key(row):
    """P2 before P10, those without a number last, and a row before what belongs to it."""
    head = row["id"].split("/")[0].split(".")
    number = head[0].lstrip("P")
    return (0, int(number)) if number.isdigit() else (1, 0), head[1:], row["id"]


def write_docs(root):
    rows = load(root)
    with open(results_path(root, "block.svg"), "w", encoding="utf-8") as file:
        file.write(chart([row for row in rows if row["target"]]))
    path = os.path.join(root, "docs/performance.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n\n{table(rows)}\n{END}{after}")


def table(rows):
    lines = ["| row | what | peer | Kiln | peer's | unit | ratio | spread | aim |", "|---|---|---|---:|---:|---|---:|---|---:|"]
    for row in rows:
        least, most = row["spread"]
        aim = f"{row['target']:g}" if row["target"] else ""
        noisy = f"; noisy, {row['noisy']:.0%}" if "noisy" in row else ""
        name = row["id"].split("/")[0] if row["target"] else ""
        lines.append(
            f"| {name} | {row['what']} | {row['peer_name']} | {row['kiln']:,g} | {row['peer']:,g} | {row['unit']} | "
            f"**{row['ratio']:.2f}** | {least:.2f}-{most:.2f}{noisy} | {aim} |"
        )
    return "\n".join(lines) + "\n"


def chart(rows):
    """One bar per promised row; a tick where its aim is, a line at 1.0."""
    height = ROW_PIXELS * (len(rows) + 2)
    width = int(LEFT_PIXELS + MOST_RATIO * BAR_PIXELS)
    one = LEFT_PIXELS + BAR_PIXELS
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 60}" height="{height}" font-family="sans-serif" font-size="12">']
    parts.append(f'<rect width="{width + 60}" height="{height}" fill="white"/>')
    parts.append(f'<text x="{LEFT_PIXELS}" y="14">times the peer; longer is better; tick: aim</text>')
    for number, row in enumerate(rows, start=1):
        y = ROW_PIXELS * number
        label = f"{row['id']} / {row['peer_name']}".replace("&", "&amp;").replace("<", "&lt;")
        length = int(BAR_PIXELS * min(row["ratio"], MOST_RATIO))
        aim = LEFT_PIXELS + int(BAR_PIXELS * min(row["target"], MOST_RATIO))
        colour = "#2a7f4f" if row["ratio"] >= row["target"] else "#b8860b"
        parts.append(f'<text x="{LEFT_PIXELS - 6}" y="{y + 14}" text-anchor="end">{label}</text>')
        parts.append(f'<rect x="{LEFT_PIXELS}" y="{y + 3}" width="{length}" height="{ROW_PIXELS - 6}" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT_PIXELS + length + 4}" y="{y + 14}">{row["ratio"]:.2f}</text>')
        parts.append(f'<line x1="{aim}" y1="{y + 1}" x2="{aim}" y2="{y + ROW_PIXELS - 1}" stroke="black"/>')
    parts.append(f'<line x1="{one}" y1="{ROW_PIXELS}" x2="{one}" y2="{height}" stroke="grey" stroke-dasharray="2,3"/>')
    return "\n".join(parts + ["</svg>"]) + "\n"
