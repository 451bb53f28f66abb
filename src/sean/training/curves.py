"""The curves of a run as a picture: loss terms and scores on held-out pairs over the steps."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sean.errors import InputError
from sean.files import atomic_write, parse_json
from sean.training.log import METRICS_NAME

Curve = tuple[list[int], list[float]]
Curves = dict[str, dict[str, Curve]]
"""Values by kind of record and by name."""

_SCORES = {"psnr": "PSNR (dB), held-out pairs", "ssim": "SSIM, held-out pairs", "rmse": "RMSE, held-out pairs"}
_FLAT = "psnr_of_flat_colors"
_COLUMNS = 3


def read_curves(run: Path) -> Curves:
    """The records of a run as curves.

    Raises:
        InputError: the folder holds no metrics.jsonl, or a damaged one.
    """
    path = run / METRICS_NAME
    if not path.is_file():
        raise InputError(f"expected a training's folder with {METRICS_NAME}, found none at {path}")
    curves: Curves = defaultdict(lambda: defaultdict(lambda: ([], [])))
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record: dict[str, Any] = parse_json(line)
            kind, step = record.pop("kind"), record.pop("step")
        except (ValueError, KeyError, AttributeError) as error:
            raise InputError(f"{path} line {number} is not a training record ({error}); remove the line") from error
        for name, value in record.items():
            steps, values = curves[kind][name]
            steps.append(step)
            values.append(value)
    return curves


def draw_curves(runs: Sequence[Path], output: Path) -> None:
    """Draw the curves of runs, one colour each, into one picture (.png, .svg or .pdf).

    Raises:
        InputError: a run has no records, or the picture cannot be written.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = {run.name: read_curves(run) for run in runs}
    names = list(dict.fromkeys(name for curves in found.values() for name in curves["train"]))
    scores = [name for name in _SCORES if any(name in curves["validation"] for curves in found.values())]
    panels = [("train", name) for name in names] + [("validation", name) for name in scores]
    if not panels:
        raise InputError(f"{', '.join(map(str, runs))}: no step is recorded yet; train some more")
    num_rows = -(-len(panels) // _COLUMNS)
    # without pyplot, which opens windows and changes global state
    with matplotlib.rc_context({"font.size": 9, "svg.hashsalt": "sean"}):
        figure = Figure(figsize=(4 * _COLUMNS, 2.6 * num_rows), layout="constrained")
        FigureCanvasAgg(figure)
        for index, (kind, name) in enumerate(panels):
            axes = figure.add_subplot(num_rows, _COLUMNS, index + 1)
            for run, curves in found.items():
                _draw(axes, curves[kind], name, run)
            axes.set_title(_SCORES.get(name, name.replace("_", " ")) if kind == "validation" else _title(name))
            axes.grid(alpha=0.3)
            if len(found) > 1 and index == 0:
                axes.legend()
        with atomic_write(output) as temporary:
            figure.savefig(temporary, dpi=110, metadata=None if output.suffix != ".png" else {"Software": None})


def _draw(axes: Any, curves: dict[str, Curve], name: str, run: str) -> None:
    if name not in curves:
        return
    steps, values = curves[name]
    (line,) = axes.plot(steps, values, label=run, linewidth=1.2, marker="." if len(steps) < 40 else None)
    if name == "psnr" and _FLAT in curves:
        axes.plot(*curves[_FLAT], color=line.get_color(), linestyle=":", linewidth=1)
        axes.annotate("flat colours", (curves[_FLAT][0][0], curves[_FLAT][1][0]), va="bottom", fontsize=7)


def _title(name: str) -> str:
    return {"seconds_per_step": "seconds a step"}.get(name, f"{name.replace('_', ' ')} (weighted)")
