"""The commands on data folders: data check."""

from pathlib import Path

from sean.commands.progress import reporting
from sean.data.check import check_folder
from sean.errors import InputError


def check(folder: Path, /) -> None:
    """Check a folder of training pairs: pairing, sizes, label ids, rare labels.

    Lists all problems with file names; exit code 2 if there are any.

    Examples:
      sean data check faces/

    Args:
        folder: with images/, labels/ and classes.txt.
    """
    with reporting("checking") as report_progress:
        report = check_folder(folder, report_progress)
    print(report.text())
    if not report.ok:
        raise InputError(f"{folder} has problems, listed above; mend or remove these files before training")
