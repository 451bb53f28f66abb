"""The formats by name, and the detection of a folder's format."""

from pathlib import Path

from sean.data.formats import ade20k_full, coco, cvat, labelme, mapillary, masks, supervisely, voc, yolo
from sean.data.formats.tree import WRONG_VALUES, Format, Options, Tree
from sean.errors import InputError
from sean.files import is_file, is_folder

# In the order of detection: formats with a characteristic file come first, a folder of masks last.
_FORMATS = (
    Format(name="cvat", title="CVAT for images 1.1, or segmentation mask 1.1", detect=cvat.detect, find=cvat.find),
    Format(name="mapillary", title="Mapillary Vistas", detect=mapillary.detect, find=mapillary.find),
    Format(name="ade20k-full", title="full ADE20K", detect=ade20k_full.detect, find=ade20k_full.find),
    Format(name="supervisely", title="Supervisely", detect=supervisely.detect, find=supervisely.find),
    Format(name="voc", title="Pascal VOC", detect=voc.detect, find=voc.find),
    Format(name="yolo-seg", title="YOLO segmentation", detect=yolo.detect, find=yolo.find),
    Format(name="coco-panoptic", title="COCO panoptic", detect=coco.detect_panoptic, find=coco.find_panoptic),
    Format(name="coco-stuff", title="COCO-Stuff", detect=coco.detect_stuff, find=coco.find_stuff),
    Format(name="coco", title="COCO instances", detect=coco.detect_instances, find=coco.find_instances),
    Format(name="labelme", title="LabelMe", detect=labelme.detect, find=labelme.find),
    Format(name="masks", title="pictures with masks", detect=masks.detect, find=masks.find),
)
FORMATS: dict[str, Format] = {each.name: each for each in _FORMATS}
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")


def open_tree(source: Path, name: str | None, options: Options) -> Tree:
    """The listing of a folder.

    Args:
        source: the folder, or one of its annotation files.
        name: of the format; None detects it.
        options: the user's options for the folder.

    Raises:
        InputError: an unknown format, no such folder, one of no known format, or one that has no pictures with labels.
    """
    if name is not None and name not in FORMATS:
        raise InputError(f"unknown format {name!r}; those that can be converted: {', '.join(FORMATS)}")
    if is_file(source):
        if source.suffix.lower() in _ARCHIVES:
            raise InputError(f"{source} is an archive; unpack it, and give the folder")
        source = source.parent.parent if source.parent.name == "annotations" else source.parent
    if not is_folder(source):
        raise InputError(f"expected a folder with pictures and labels at {source}, found none; check the path")
    try:
        tree = (FORMATS[name] if name is not None else _detected(source, options)).find(source, options)
    except InputError:
        raise
    except WRONG_VALUES as error:
        raise InputError(
            f"the annotations of {source} hold values that the format does not have ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}); export them again"
        ) from error
    if not tree.items and not tree.problems:
        raise InputError(f"{tree.root} holds no pictures with labels; check the path")
    return tree


def _detected(source: Path, options: Options) -> Format:
    if options.pattern is not None:
        return FORMATS["masks"]
    for each in _FORMATS:
        if each.detect(source):
            return each
    there = sorted(path.name + "/" * path.is_dir() for path in source.iterdir() if not path.name.startswith("."))
    raise InputError(
        f"{source} is of no format that is known here ({', '.join(FORMATS)}): it holds "
        f"{', '.join(there[:5]) or 'nothing'}"
        f"{' and more' if len(there) > 5 else ''}; name the format, or the pattern of the masks"
    )
