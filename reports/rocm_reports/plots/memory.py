# SPDX-License-Identifier: EUPL-1.2
"""Memory of the server after it has loaded: what was estimated, what was measured."""

from ..statistics import as_dict, is_number
from ..text import plot_label
from .style import COLOURS, grid, heading, plt, save, styled

MIB = 1 << 20
# name in server_ready → (label, which estimate it is held against)
MEASURED = {"vram_of_load_bytes": ("card, more than before", "estimate_device_bytes"),
            "server_vram_bytes": ("card, of the process", "estimate_device_bytes"),
            "server_rss_bytes": ("RAM, mapped file included", "estimate_host_bytes")}
MAX_LOADS = 10


def loads(run):
    """[(label, {name: bytes})…], one for each scenario and variant that loaded a server."""
    out = {}
    for e in run.events:
        detail = as_dict(e.get("detail"))
        if e.get("event") != "server_ready" or not any(is_number(detail.get(k)) for k in MEASURED):
            continue
        label = " · ".join(str(e[k]) for k in ("scenario", "variant") if e.get(k))
        out.setdefault(label, {k: v for k, v in detail.items() if k.endswith("_bytes") and is_number(v)})
    return list(out.items())


def plot_memory(run, path):
    """False when no load has both an estimate and a measurement."""
    rows = []
    for label, values in loads(run):
        for name, (what, estimate) in MEASURED.items():
            if values.get(name) and values.get(estimate):
                rows.append((f"{plot_label(label, 36)}\n{what}", values[estimate], values[name]))
    left_out = len(rows) - MAX_LOADS
    rows = rows[:MAX_LOADS]
    if not rows:
        return False
    height = 1.35 + 0.42 * len(rows)
    widest = max(max(estimate, measured) for _, estimate, measured in rows)
    with styled():
        figure, axes = plt.subplots(figsize=(9.2, height))
        figure.subplots_adjust(left=0.32, right=0.97, top=1 - 0.5 / height, bottom=0.62 / height)
        for i, (_, estimate, measured) in enumerate(rows):
            axes.barh(-i, measured / MIB, height=0.5, color=COLOURS[5], zorder=2,
                      label="measured" if i == 0 else None)
            axes.plot([estimate / MIB] * 2, [-i - 0.34, -i + 0.34], color=COLOURS[1], linewidth=2.4,
                      zorder=3, label="estimate" if i == 0 else None)
            inside = max(estimate, measured) > 0.5 * widest
            axes.annotate(f"{measured / MIB:.0f} ({measured / estimate * 100:.0f} % of the estimate)",
                          ((measured if inside else max(estimate, measured)) / MIB, -i),
                          xytext=(-5 if inside else 6, 0), textcoords="offset points", va="center",
                          ha="right" if inside else "left", fontsize=7.5)
        axes.set_yticks([-i for i in range(len(rows))], [label for label, *_ in rows])
        axes.tick_params(axis="y", length=0, labelsize=7.5)
        axes.set_xlabel("MiB")
        axes.margins(x=0.04)
        axes.set_xlim(left=0)
        grid(axes, "x")
        figure.legend(*axes.get_legend_handles_labels(), loc="lower left", ncol=2, frameon=False,
                      fontsize=8, bbox_to_anchor=(0.0, 0), borderaxespad=0.4)
        note = "after loading" + (f"; {left_out} more not drawn" if left_out > 0 else "")
        heading(figure, run, "Memory of the server", note, height, 0.03)
        save(figure, path)
    return True
