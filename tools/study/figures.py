# SPDX-License-Identifier: MIT
"""The study's results as a table in Markdown and as bars in SVG."""
from html import escape

COLOURS = ("#0072b2", "#009e73", "#e69f00", "#999999")  # told apart by people who do not see all colours


def markdown(tasks, networks, ways, table, options):
    """A row a task and network; the best way is bold, what was not run a dash."""
    seeds = f"{options.seeds} draws (seeds 1 to {options.seeds}): mean ± deviation" if options.seeds > 1 else "one draw (seed 1)"
    if len({draws for _, _, draws in table.values()}) > 1:
        seeds += "; where there is no ±, one draw"
    counts = "; ".join(f"{name} {task.train} and {task.val}, {task.epochs(options)} epochs" for name, task in tasks.items())
    lines = [f"Per cent of the validation pictures right, best epoch; {options.input}×{options.input}, Adam, batch 8, {seeds}. "
             f"Pictures a class to train and to validate, and epochs (from scratch twice as many): {counts}.", "",
             "| task | network | " + " | ".join(ways) + " |", "| --- | --- |" + " ---: |" * len(ways)]
    for name, task in tasks.items():
        for i, network in enumerate(networks):
            row = [table.get((name, network, way)) for way in ways]
            best = max((round(cell[0], 1) for cell in row if cell), default=0)
            cells = []
            for found in row:
                cell = f"{found[0]:.1f}" + (f" ± {found[1]:.1f}" if found[2] > 1 else "") if found else "–"
                cells.append(f"**{cell}**" if found and round(found[0], 1) == best else cell)
            title = f"{task.title} (chance {task.chance:.0f})" if i == 0 else ""
            lines.append(f"| {title} | {network} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def svg(tasks, networks, ways, table):
    """A panel a task, a group a network, a bar a way; a line where chance is."""
    bar, gap, high, left = 17, 26, 170, 44
    wide = len(networks) * (len(ways) * bar + gap) + 20
    columns = min(len(tasks), 3 if len(networks) < 3 else 2)
    rows = -(-len(tasks) // columns)
    width, height = columns * (wide + left) + 10, rows * (high + 86) + 34
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
             'font-family="DejaVu Sans, sans-serif" font-size="11" role="img" '
             'aria-label="accuracy by task, network and way of learning">',
             f'<rect width="{width}" height="{height}" fill="#fff"/>']
    x = left
    for colour, way in zip(COLOURS, ways):
        parts.append(f'<rect x="{x}" y="10" width="12" height="12" fill="{colour}"/>'
                     f'<text x="{x + 17}" y="20" fill="#222">{escape(way)}</text>')
        x += 32 + 7 * len(way)
    for number, (name, task) in enumerate(tasks.items()):
        x0, y0 = number % columns * (wide + left) + left, number // columns * (high + 86) + 66
        parts.append(f'<text x="{x0}" y="{y0 - 16}" fill="#222" font-weight="bold" font-size="12">{escape(task.title)}</text>')
        for share in (0, 25, 50, 75, 100):
            y = y0 + high * (1 - share / 100)
            parts.append(f'<path d="M{x0} {y:.1f}h{wide - 12}" stroke="#e4e4e8"/>'
                         f'<text x="{x0 - 6}" y="{y + 4:.1f}" fill="#666" text-anchor="end">{share} %</text>')
        for i, network in enumerate(networks):
            at = x0 + 10 + i * (len(ways) * bar + gap)
            for k, way in enumerate(ways):
                if (name, network, way) not in table:
                    continue
                mean, spread, draws = table[name, network, way]
                tall = high * mean / 100
                parts.append(f'<rect x="{at + k * bar}" y="{y0 + high - tall:.1f}" width="{bar - 2}" height="{tall:.1f}" '
                             f'fill="{COLOURS[k]}"/><text x="{at + k * bar + bar / 2 - 1:.1f}" y="{y0 + high - tall - 3:.1f}" '
                             f'fill="#222" font-size="8" text-anchor="middle">{mean:.0f}</text>')
                if draws > 1:  # a whisker from mean - deviation to mean + deviation
                    middle, reach = at + k * bar + bar / 2 - 1, high * min(spread, mean, 100 - mean) / 100
                    parts.append(f'<path class="spread" d="M{middle:.1f} {y0 + high - tall - reach:.1f}v{2 * reach:.1f}" '
                                 'stroke="#222"/>')
            parts.append(f'<text x="{at + len(ways) * bar / 2:.0f}" y="{y0 + high + 15}" fill="#444" text-anchor="middle" '
                         f'font-size="10">{escape(network)}</text>')
        y = y0 + high * (1 - task.chance / 100)
        parts.append(f'<path d="M{x0} {y:.1f}h{wide - 12}" stroke="#c33" stroke-dasharray="4 3"/>')
    return "\n".join(parts) + "\n</svg>\n"
