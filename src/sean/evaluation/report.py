"""The readable table of an evaluation's report."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

# heading -> (part of a row of the report, key in it, format)
_COLUMNS: dict[str, tuple[str, str, str]] = {
    "SSIM": ("reconstruction", "ssim", ".4f"),
    "RMSE": ("reconstruction", "rmse", ".4f"),
    "PSNR": ("reconstruction", "psnr", ".2f"),
    "PSNR of flat colors": ("reconstruction", "psnr_of_flat_colors", ".2f"),
    "LPIPS": ("reconstruction", "lpips", ".4f"),
    "mIoU": ("segmentation", "miou", ".2%"),
    "accuracy": ("segmentation", "accuracy", ".2%"),
    "FID": ("distances", "fid", ".4g"),
    "KID": ("distances", "kid", ".4g"),
}


def report_table(rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """A table of rows of `evaluate_model` and `evaluate_real`; empty columns are left out."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("pictures", justify="right")
    shown = [
        name for name, (part, key, _) in _COLUMNS.items() if any(key in row.get(part, {}) for row in rows.values())
    ]
    for name in shown:
        table.add_column(name, justify="right")
    for title, row in rows.items():
        table.add_row(title, str(row["pictures"]), *(_cell(row, *_COLUMNS[name]) for name in shown))
    return table


def report_remarks(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Remarks on the numbers in a table: networks, numbers of pictures, and notes."""
    remarks: list[str] = []
    for title, row in rows.items():
        if "segmentation" in row:
            remarks.append(f"mIoU, accuracy: by {row['segmentation']['segmenter']}")
        if "distances" in row:
            found = row["distances"]
            remarks.append(f"FID, KID: features of {found['extractor']}")
            remarks.append(
                f"FID, KID of {title}: {found['pictures']} pictures against {found['training_pictures']} real training "
                "pictures"
            )
            remarks += found["notes"]
    return list(dict.fromkeys(remarks))


def _cell(row: Mapping[str, Any], part: str, key: str, style: str) -> str:
    value = row.get(part, {}).get(key)
    return "–" if value is None else format(value, style)
