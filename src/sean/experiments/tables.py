"""The paper's tables from measured runs, with the paper's own rows for data of the same kind."""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sean.experiments.augmentation import SEGMENTERS, SHIFTS, WAYS
from sean.experiments.paper import TABLE_1, TABLE_2, TABLE_3, Row, kind_of
from sean.training.methods import METHODS

COMPARED = ("pix2pixhd", "spade", "sean")
"""The methods of Tables 1 and 2, as the paper orders them."""

ABLATION = (*TABLE_3["CelebAMask-HQ"], "sean-color")
"""The methods of Table 3, as the paper orders them, and the style encoder that keeps colours, which is ours."""

Results = Mapping[str, Any]
"""The scores of one data set, from `measure_runs`."""

# number of listed pairs of methods whose order differs from the paper's
_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Column:
    """A metric of a table.

    Attributes:
        heading: with unit and the arrow of the better direction.
        part, key: its place in the scores.
        digits: after the point.
        factor: scale of the printed value.
        higher_is_better: whether larger values are better.
    """

    heading: str
    part: str
    key: str
    digits: int
    factor: float = 1.0
    higher_is_better: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as it is printed.

    Attributes:
        title: above it.
        headings: of the columns.
        rows: as texts.
        notes: below it.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)

    def as_markdown(self) -> str:
        """Title, table and notes."""
        lines = ["| " + " | ".join(row) + " |" for row in (self.headings, ["---"] * len(self.headings), *self.rows)]
        return "\n".join([f"**{self.title}**", "", *lines, *(f"\n{note}" for note in self.notes)]) + "\n"


_SSIM = Column(heading="SSIM ↑", part="reconstruction", key="ssim", digits=3)
_RMSE = Column(heading="RMSE ↓", part="reconstruction", key="rmse", digits=3, higher_is_better=False)
_PSNR = Column(heading="PSNR, dB ↑", part="reconstruction", key="psnr", digits=2)
_FLAT = Column(heading="PSNR of flat colours", part="reconstruction", key="psnr_of_flat_colors", digits=2)
_MIOU = Column(heading="mIoU, % ↑", part="segmentation", key="miou", digits=1, factor=100.0)
_ACCURACY = Column(heading="accuracy, % ↑", part="segmentation", key="accuracy", digits=1, factor=100.0)
_FID = Column(heading="FID ↓", part="distances", key="fid", digits=2, higher_is_better=False)
_KID = Column(heading="KID ↓", part="distances", key="kid", digits=4, higher_is_better=False)


def table_1(dataset: str, results: Results) -> Table:
    """Reconstruction: SSIM, RMSE and PSNR."""
    methods = [method for method in COMPARED if method in results["runs"]]
    baseline = statistics.mean(_values(results, methods[0], _FLAT))
    note = f"Every region painted with its own mean colour has a PSNR of {baseline:.2f} dB."
    columns = (_SSIM, _RMSE, _PSNR)
    return _table(f"Table 1, reconstruction, {dataset}", dataset, results, methods, columns, TABLE_1, [note])


def table_2(dataset: str, results: Results) -> Table:
    """Segmentation of the pictures, and their distance to the real training pictures; with the real pictures' row."""
    columns = (_MIOU, _ACCURACY, _FID, _KID)
    methods = ["real", *(method for method in COMPARED if method in results["runs"])]
    found = results["real"]
    distances, segmentation = found["distances"], found["segmentation"]
    notes = [
        f"Segmenter: {segmentation['segmenter']}. Features of FID and KID: {distances['extractor']}, "
        f"{distances['dim']} numbers; {distances['pictures']} held-out pictures, real or rendered, against "
        f"{distances['training_pictures']} real training pictures. The paper's figures are by other networks, on other "
        "pictures: compare orders, not values.",
        *distances["notes"],
    ]
    return _table(f"Table 2, semantics and realism, {dataset}", dataset, results, methods, columns, TABLE_2, notes)


def table_3(dataset: str, results: Results) -> Table:
    """The ablation: reconstruction, FID and KID of the baselines and the variants of SEAN."""
    methods = [method for method in ABLATION if method in results["runs"]]
    columns = (_SSIM, _RMSE, _PSNR, _FID, _KID)
    return _table(f"Table 3, ablation, {dataset}", dataset, results, methods, columns, TABLE_3, [])


def edit_table(results: Mapping[str, Any]) -> Table:
    """The edit benchmark: results by method, over seeds."""
    keys = ("inside", "outside", "leakage", "inside_before")
    rows = []
    for method, seeds in results["methods"].items():
        values = {key: [scores[key] for scores in seeds.values()] for key in keys}
        rows.append([results["names"][method], *(_cell(values[key], 4) for key in keys)])
    return Table(
        title="Edit benchmark, synthetic scenes",
        headings=("", "inside ↓", "outside ↓", "leakage ↓", "inside, without the edit"),
        rows=rows,
        notes=[
            f"Root mean square errors on [0, 1], means over {results['edits']} exchanges of one region's style in "
            f"{results['pairs']} pairs of scenes. Inside and outside: the edited picture against the true one, in the "
            "region and elsewhere. Leakage: the edited picture against the method's own before the edit, elsewhere."
        ],
    )


def style_fidelity_table(results: Mapping[str, Any]) -> Table:
    """Style fidelity of one model: a row by region, and the medians over all of them."""
    keys = ("color_error", "recolored_error", "detail", "locality")
    digits = (1, 1, 2, 1)
    rows = [
        [name, *("–" if found[key] is None else f"{found[key]:.{n}f}" for key, n in zip(keys, digits, strict=True))]
        for name, found in [*results["regions"].items(), ("all", results["median"])]
    ]
    return Table(
        title="Style fidelity",
        headings=("", "colour after exchange ↓", "colour after recolouring ↓", "detail ↑", "locality ↑"),
        rows=rows,
        notes=[
            f"Medians over {results['exchanges']} exchanges of each region between {results['pictures']} pictures. "
            "Colours: mean absolute difference of the region's mean colours, of 255; of the exchanged region and the "
            "other picture's, and of a picture whose region was recoloured at random and its reconstruction. Detail: "
            "fine detail (above a Gaussian filter of 2 pixels) of reconstructions over that of the pictures, as "
            "standard deviations. Locality: mean change inside the exchanged region over that outside."
        ],
    )


def photo_benchmark_table(results: Mapping[str, Any]) -> Table:
    """The photo benchmark: a row for each region and way to put the edit into the photo."""
    titles = {
        "nothing": "the photo as it is",
        "render": "whole render",
        "paste": "pasted render",
        "detail": "composite (default)",
    }
    keys = {"error": 3, "detail": 2, "leakage": 4, "seam": 2}
    rows = [
        [
            name,
            title,
            *("–" if found[way][key] is None else f"{found[way][key]:.{n}f}" for key, n in keys.items()),
        ]
        for name, found in results["regions"].items()
        for way, title in titles.items()
    ]
    return Table(
        title="Edits of photos with known truth",
        headings=("", "", "error ↓", "detail → 1", "leakage ↓", "seam → 1"),
        rows=rows,
        notes=[
            f"Means over {results['pictures']} photos. A region is recoloured by code (lightness times a gain, colour "
            "shifted, in Lab), and edited with the style of the recoloured photo. Error: RMS in the region on [0, 1] "
            "against the truth. Detail: fine detail (above a Gaussian filter of 2 pixels) over the truth's. Leakage: "
            "RMS change more than 8/256 of the picture away from the region. Seam: gradient across the region's "
            "border over that along it, over the truth's. "
            f"Edits to the own style changed {results['self_edits']} photos."
        ],
    )


def augmentation_tables(results: Mapping[str, Any]) -> list[Table]:
    """mIoU: a table for every network; rows are shifts and ways, columns parts of the training set."""
    parts = results["training"]
    headings = ("held-out pictures", "training", *(f"{float(part):.0%} ({parts[part]} pictures)" for part in parts))
    tables = []
    for network, found in results["miou"].items():
        rows = [
            [shift, title, *(_cell(found[way][part][shift], 3) for part in parts)]
            for shift in SHIFTS
            for way, title in WAYS.items()
        ]
        tables.append(Table(title=f"mIoU of {SEGMENTERS[network]}", headings=headings, rows=rows))
    return tables


def order_notes(
    methods: Sequence[str], columns: Sequence[Column], results: Results, paper: Mapping[str, Row]
) -> list[str]:
    """One sentence for every metric of the paper: the number of pairs of methods in the paper's order.

    Args:
        methods: to compare; methods without a value in either, and pairs that are equal in the paper, are left out.
        columns: the paper's first, in its order.
        results: ours; of several seeds the mean is taken.
        paper: its rows.
    """
    notes = []
    for index, column in enumerate(columns):
        theirs = {m: figure for m in methods if (figure := _figure(paper, m, index)) is not None}
        ours = {
            m: statistics.mean(values)
            for m in theirs
            if m in results["runs"]
            if (values := _values(results, m, column))
        }
        sign = 1 if column.higher_is_better else -1
        # (better, worse) in the paper
        pairs = [(a, b) for a, b in itertools.permutations(ours, 2) if sign * theirs[a] > sign * theirs[b]]
        if not pairs:
            continue
        turned = [f"{METHODS[b][0]} over {METHODS[a][0]}" for a, b in pairs if sign * ours[a] <= sign * ours[b]]
        name = column.heading.rstrip(" ↑↓").split(",")[0]
        note = f"{name}: {len(pairs) - len(turned)} of {len(pairs)} pairs of methods stand as in the paper"
        if 0 < len(turned) <= _MOST_NAMED:
            note += f"; not so {'; '.join(turned)}"
        notes.append(f"{note}.")
    return notes


def _figure(paper: Mapping[str, Row], method: str, index: int) -> float | None:
    row = paper.get(method, ())
    return row[index] if index < len(row) else None


def _table(
    title: str,
    dataset: str,
    results: Results,
    methods: Sequence[str],
    columns: Sequence[Column],
    papers: Mapping[str, Mapping[str, Row]],
    notes: Sequence[str],
) -> Table:
    kind = kind_of(dataset)
    paper = papers.get(kind, {}) if kind else {}
    headings = ["", "parameters", *(column.heading for column in columns)]
    if paper:
        headings.append(f"the paper, {kind}")
    rows = []
    for method in methods:
        run = results["runs"].get(method)
        name = "real pictures" if run is None else METHODS[method][0]
        size = "" if run is None else f"{run['parameters'] / 1e6:.1f} M"
        cells = [_cell(_values(results, method, c), c.digits, c.factor) for c in columns]
        rows.append([name, size, *cells, *([_paper_cell(paper.get(method, ()))] if paper else [])])
    orders = order_notes(methods, columns, results, paper)
    return Table(title=title, headings=headings, rows=rows, notes=[*notes, *([" ".join(orders)] if orders else [])])


def _values(results: Results, method: str, column: Column) -> list[float]:
    """The values of all seeds; empty if the metric was not measured."""
    found = [results["real"]] if method == "real" else list(results["runs"][method]["seeds"].values())
    values = [scores.get(column.part, {}).get(column.key) for scores in found]
    return [value for value in values if value is not None]


def _cell(values: Sequence[float], digits: int, factor: float = 1.0) -> str:
    if not values:
        return "–"
    text = f"{statistics.mean(values) * factor:.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {(max(values) - min(values)) / 2 * factor:.{digits}f}"


def _paper_cell(row: Row) -> str:
    return " / ".join("–" if value is None else f"{value:g}" for value in row) or "–"
