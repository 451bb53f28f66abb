"""The commands on data folders: data check, data mend-sides, data prepare."""

from pathlib import Path

from sean.commands.progress import reporting
from sean.errors import InputError


def check(folder: Path, /) -> None:
    """Check a folder of training pairs: pairing, sizes, label ids, rare labels.

    A prepared folder is compared with its manifest too: files that changed, are missing, or are new.
    Lists all problems with file names; exit code 2 if there are any. A line "ignore 255" in classes.txt says that 255
    marks unlabelled pixels.

    Examples:
      sean data check faces/

    Args:
        folder: with images/, labels/ and classes.txt ("id name" or "id name r g b" a line, perhaps "ignore 255").
    """
    from sean.data.check import check_folder

    with reporting("checking") as report_progress:
        report = check_folder(folder, report_progress)
    print(report.text())
    if not report.ok:
        raise InputError(f"{folder} has problems, listed above; mend or remove these files before training")


def mend_sides(folder: Path, /, *, output: Path) -> None:
    """Left and right in the label maps of faces, exchanged where the face's own geometry says that they are wrong.

    In the labels of CelebAMask-HQ, left is the subject's left, on the right of the picture. One face in fifteen or so
    has the sides of eyes, brows or ears mixed up, which a parser and a mirror both suffer from. The folder stays as it
    is; pictures and right maps are linked.

    Examples:
      sean data mend-sides faces/ --output mended/

    Args:
        folder: with images/, labels/ and classes.txt.
        output: the data folder to make.
    """
    from sean.data.folder import PairedFolder
    from sean.data.sides import mend_folder

    with reporting("mending") as report_progress:
        mended = mend_folder(PairedFolder.open(folder), output, report_progress)
    for stem, pairs in mended.exchanged.items():
        print(f"{stem}: exchanged {'; '.join(pairs)}")
    print(f"{output}: {mended.num_pairs} pairs, left and right exchanged in {len(mended.exchanged)}")


def prepare(
    name: str, source: Path, destination: Path, /, *, size: int | None = None, workers: int | None = None
) -> None:
    """Turn the download of an official data set into a folder of training pairs, with split and checksums.

    Names: celebamask-hq, ade20k, cityscapes, cmp-facades. Lists all problems with file names; exit code 2 if there
    are any. After an interrupt, or when the problems are mended, the same command goes on where it ended.

    Examples:
      sean data prepare celebamask-hq CelebAMask-HQ/ faces/
      sean data prepare ade20k ADEChallengeData2016/ scenes/ --size 256 --workers 8

    Args:
        name: the data set.
        source: the folder that its archive unpacks to.
        destination: the folder to make.
        size: shorter side in pixels that larger pairs are shrunk to. By default 512 for celebamask-hq, 256 for
            cityscapes; the others keep their size.
        workers: number of processes; by default one per processor.
    """
    from sean.data.official.prepare import prepare as prepare_download

    with reporting("preparing") as report_progress:
        result = prepare_download(name, source, destination, size=size, workers=workers, progress=report_progress)
    print(result.text(), end="")
    if not result.ok:
        raise InputError(
            f"{source} has problems, listed above; mend or remove these files, then run the same command again"
        )
