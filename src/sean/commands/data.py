"""The commands on data folders: data check, convert, export, mend-sides, parse, prepare."""

import signal
from pathlib import Path

from sean.commands.photo_options import DEFAULT_PHOTO_OPTIONS, PhotoOptions
from sean.errors import InputError, Interrupted
from sean.progress import reporting


def check(folder: Path, /) -> None:
    """Check a folder of training pairs: pairing, sizes, label ids, rare labels.

    A prepared folder is also compared with its manifest: changed, missing and new files.
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
    """Correct left and right in the label maps of faces, where they contradict the geometry of the face.

    In the labels of CelebAMask-HQ, left is the subject's left, on the right of the picture. One face in fifteen or so
    has the sides of eyes, brows or ears mixed up, which harms parsers and mirrored training pictures. The folder does
    not change; pictures and correct maps are linked.

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


def parse(
    folder: Path,
    /,
    *,
    output: Path,
    photos: PhotoOptions = DEFAULT_PHOTO_OPTIONS,
    labels: Path | None = None,
    least_score: float = 0.8,
    ignore_below: float = 0.0,
    device: str = "auto",
) -> None:
    """Make a folder of training pairs from pictures without label maps: a parser makes the maps.

    Pictures with a low score of the parser are left out. The score of a picture is the mean over its regions of the
    mean probability in each; the report says which pictures were left out and why, parsing.jsonl in the folder has the
    score of each. Whole pictures are linked, faces are cut out. After an interrupt the same command continues; later it
    labels new pictures.

    Examples:
      sean data parse portraits/ --output faces/
      sean data parse portraits/ --output faces/ --crop none --least-score 0.85 --ignore-below 0.6
      sean data parse streets/ --output pairs/ --parser segformer:owner/name

    Args:
        folder: with pictures, or with images/.
        output: the data folder to make.
        photos: parser and crop; "auto" cuts out the largest face where the parser's labels are those of faces, "none"
            takes pictures as they are.
        labels: classes.txt of the labels to make, if they are not the parser's own; --label-mapping matches them.
        least_score: pictures below it are left out.
        ignore_below: pixels whose label has a lower probability are unlabelled; 0 labels all.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.data.pictures import find_pictures
    from sean.devices import chosen_device
    from sean.labels import LabelSet, shipped_version
    from sean.parsing.label_matching import read_label_mapping
    from sean.parsing.labelling import CropMode, LabellingSettings, label_pictures
    from sean.parsing.segmenter import Segmenter

    where = chosen_device(device)
    crop: CropMode = "auto" if photos.crop == "auto" else "none"
    if photos.crop not in ("auto", "none") or photos.face:
        raise InputError("expected --crop auto or none, and no --face: every picture has a face of its own")
    settings = LabellingSettings(least_score=least_score, ignore_below=ignore_below, crop=crop)
    pictures = find_pictures(folder)
    mapping = None if photos.label_mapping is None else read_label_mapping(photos.label_mapping)
    wanted = None if labels is None else shipped_version(LabelSet.from_classes_txt(labels))
    parser = Segmenter.from_pretrained(photos.parser, wanted, where, mapping)
    try:
        with reporting("parsing") as report_progress:
            report = label_pictures(pictures, parser, output, settings, report_progress)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            f"interrupted; what is done is in {output}, and the same command goes on from there", signal.SIGINT
        ) from interrupt
    print(report.text())


def convert(
    source: Path,
    destination: Path,
    /,
    *,
    from_: str | None = None,
    mapping: Path | None = None,
    labels: Path | None = None,
    images: Path | None = None,
    pattern: str | None = None,
    size: int | None = None,
    workers: int | None = None,
    skip_damaged: bool = False,
) -> None:
    """Turn the labels of an annotation tool, or of a data set, into a folder of training pairs.

    Formats: cvat, labelme, supervisely, voc, coco, coco-panoptic, coco-stuff, mapillary, ade20k-full, yolo-seg, masks.
    Objects become instance maps where the format tells them apart. Lists all problems with file names; exit code 2 if
    there are any. After an interrupt, or after the problems are corrected, the same command continues.

    A mapping file renumbers, merges, renames or ignores classes. It is JSON, {"name or id": "region", "other": null},
    where null means unlabelled and the key "*" all other classes; or text like classes.txt, with lines "id name" of any
    ids, one name for several ids if wanted, and a line "ignore 255 0 -1".

    Examples:
      sean data convert export/ pairs/
      sean data convert masks/ pairs/ --pattern "{stem}_mask.png" --mapping classes.txt
      sean data convert COCO/ pairs/ --from coco-panoptic --mapping mapping.json --size 256
      sean data convert task/ pairs/ --images photos/ --skip-damaged

    Args:
        source: the folder of the labels.
        destination: the folder to make.
        from_: the format; by default it is detected.
        mapping: file that maps the classes to regions.
        labels: classes.txt of the labels to make, if they must be those of a trained model.
        images: the folder of the pictures, if they are not in the source.
        pattern: of the masks' names in a folder of masks, with {stem} for the name of the picture.
        size: shorter side in pixels that larger pairs are shrunk to; by default pairs keep their size.
        workers: number of processes; by default one per processor.
        skip_damaged: skip and list damaged and unpaired files instead of refusing the folder.
    """
    from sean.data.formats.conversion import convert as convert_tree

    with reporting("converting") as report_progress:
        result = convert_tree(
            source,
            destination,
            format=from_,
            mapping=mapping,
            labels=labels,
            images=images,
            pattern=pattern,
            size=size,
            workers=workers,
            skip_damaged=skip_damaged,
            progress=report_progress,
        )
    if result.ok:
        print(result.text(), end="")
        return
    count = sum(problem.count for problem in result.problems)
    first = result.problems[0].examples[0]
    if count > 1:
        print(result.text(), end="")
    others = f" ({count} problems, listed above)" if count > 1 else ""
    raise InputError(f"{first}{others}; mend the source and run the same command again, or add --skip-damaged")


def export(source: Path, destination: Path, /, *, to: str) -> None:
    """Write a folder of training pairs in the format of an annotation tool, to correct label maps there.

    Formats: coco (instances), voc (CVAT imports it as "segmentation mask 1.1"), cvat (CVAT for images 1.1, masks),
    labelme (polygons). sean data convert reads all of them back without loss.

    Examples:
      sean data export pairs/ for-cvat/ --to cvat
      sean data export pairs/ polygons/ --to labelme

    Args:
        source: with images/, labels/ and classes.txt.
        destination: the folder to make.
        to: the format.
    """
    from sean.data.formats.export import export as export_folder

    with reporting("exporting") as report_progress:
        count = export_folder(source, destination, format=to, progress=report_progress)
    print(f"{destination}: {count} pairs for {to}")


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


def shard(
    folder: Path,
    destination: Path,
    /,
    *,
    shard_mb: float = 64.0,
    validation: float | str | None = None,
    training_prefix: str = "",
) -> None:
    """Write a folder of training pairs as tar shards, to train from a web server or a bucket without copying all.

    The shards are webdataset's, the files in them as they are. The index has the split: the official one of a prepared
    data set, or that of the options. An interrupted run continues.

    Examples:
      sean data shard faces/ shards/
      sean data shard faces/ shards/ --shard-mb 256 --validation val_
      sean train --preset mini-128 --data https://example.org/shards --output runs/faces

    Args:
        folder: with images/, labels/ and classes.txt.
        destination: a new folder, or one from an interrupted run with the same settings.
        shard_mb: size of a shard; streaming mixes the samples of four shards at a time.
        validation: held-out pairs: a fraction of the sorted names, or the prefix of their names.
        training_prefix: train only on files with this prefix.
    """
    from sean.data.folder import PairedFolder
    from sean.data.shards.writing import write_shards

    pairs = PairedFolder.open(folder)
    with reporting("sharding") as report_progress:
        index = write_shards(
            pairs,
            destination,
            validation=validation,
            training=training_prefix,
            shard_mb=shard_mb,
            progress=report_progress,
        )
    counts = [sum(len(shard.samples) for shard in part) for part in (index.training, index.validation)]
    size = sum(shard.num_bytes for shard in index.shards) / 10**6
    print(
        f"{destination}: {counts[0]} pairs to train on in {len(index.training)} shards, {counts[1]} held out in "
        f"{len(index.validation)}; {size:.1f} MB"
    )
