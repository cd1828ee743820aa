# SPDX-License-Identifier: EUPL-1.2
"""How every plot looks: colours, one figure with a heading, how it is saved."""

import contextlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from ..text import plot_label  # noqa: E402

# Okabe and Ito: told apart with any colour vision; line styles tell them apart in print.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
STYLES = ["-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5))]
INK = "#24292f"
GRID = "#d7dbe0"
MAX_SERIES = 12
MUTED = "#57606a"

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": "#8b929b",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,
}


def line_look(i):
    """Colour and line style of the i-th series."""
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[(i // len(COLOURS)) % len(STYLES)]}


@contextlib.contextmanager
def styled():
    with plt.rc_context({k: v for k, v in STYLE.items() if k in matplotlib.rcParams}):
        yield


def grid(axes, axis="both"):
    axes.grid(True, axis=axis, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def save(figure, path):
    # Without the version of the library: the same run gives the same bytes.
    figure.savefig(path, dpi=150, metadata={"Software": None})
    plt.close(figure)


def heading(figure, run, scenario, note, height, left):
    figure.text(left, 1 - 0.08 / height, plot_label(scenario, 60), ha="left", va="top",
                fontsize=12, fontweight="bold")
    names = [plot_label(x, 30) for x in (run.header.get("target"), run.run_id) if x]
    note = "   ·   ".join([note, *names])
    figure.text(0.985, 1 - 0.12 / height, note, ha="right", va="top", fontsize=7.5,
                color=MUTED)


def bottom_legend(figure, axes, columns):
    figure.legend(*axes.get_legend_handles_labels(), loc="lower left", bbox_to_anchor=(0.068, 0.0),
                  ncol=columns, frameon=False, fontsize=8, handlelength=2.6, columnspacing=2.0,
                  borderaxespad=0.4)
