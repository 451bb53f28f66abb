"""Projects: sessions of the editor on the disk, as a folder or a zip file.

project.json                      the edits, done and undone, the crop, the model, and which files belong to it
segmap-HASH.png                   the map that the session began with
styles-HASH.safetensors           own styles and those of the style photos
photo-HASH.png, seen-HASH.png     the photo, with its ICC profile, transparency and EXIF block, and its map as the model
                                  sees it; only where there is a photo
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sean.editing.edits import Edit, SetStyle, edit_from_json
from sean.editing.pipeline import SEANPipeline
from sean.editing.project_files import INDEX_NAME, ProjectLimits, check_png, opened, store
from sean.editing.state import EditorState
from sean.editing.styles import StyleCodes, load_style_codes, save_style_codes
from sean.errors import InputError
from sean.images import read_photo
from sean.labels import LabelSet
from sean.parsing.faces import Crop
from sean.parsing.photo import Photo
from sean.photo_output import save_photo
from sean.segmap import read_segmap, write_segmap

_FORMAT = "sean project 1"
_HEADING = re.compile(r"^#+ *(.{1,100})$", re.MULTILINE)
_SAMPLED = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Project:
    """What a session is made of.

    Attributes:
        model: which model it was made with, see `model_of`.
        photo: the photo and its crop; None in a session without one.
        photo_segmap: its label ids, integers [h, w] of the model's size, before any edit.
        segmap: the label ids that the session began with.
        begun_styles: edits that give the styles that the session began with.
        own: the picture's own styles.
        photos: styles of style photos, by name.
        done: the edits done so far.
        undone: those that can be redone.
    """

    model: dict[str, Any]
    photo: Photo | None
    photo_segmap: np.ndarray | None
    segmap: np.ndarray
    begun_styles: list[SetStyle]
    own: StyleCodes
    photos: dict[str, StyleCodes]
    done: list[Edit]
    undone: list[Edit]


def model_of(pipeline: SEANPipeline) -> dict[str, Any]:
    """What tells a model from others: the heading of its card, its sizes, and a hash over a sample of its weights."""
    heading = _HEADING.search(pipeline.card)
    digest = hashlib.sha256()
    for name, value in sorted(pipeline.model.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.flatten()[:_SAMPLED].double().cpu().numpy().tobytes())
    return {
        "name": heading[1].strip() if heading else "",
        "labels": list(pipeline.labels.names),
        "image_size": list(pipeline.image_size),
        "weights": digest.hexdigest()[:16],
    }


def begun_styles(state: EditorState) -> list[SetStyle]:
    """Edits that set the styles that a state has for labels as classes; each block by itself."""
    edits = []
    for (label, instance), settings in state.styles.items():
        for block, setting in enumerate(settings):
            if setting is not None and not instance:
                blocks = None if len(settings) == 1 else (block,)
                edits.append(SetStyle(source=setting[0], strength=setting[1], regions=(label,), blocks=blocks))
    return edits


def write_project(path: Path, project: Project, labels: LabelSet) -> None:
    """Write a project, atomically; see `sean.editing.project_files.store`.

    Args:
        path: a folder, made when missing, or a file that ends in .zip.
        project: what to write.
        labels: of its maps.

    Raises:
        InputError: the place cannot be written or holds something else.
    """
    labels = _file_labels(labels)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_segmap(folder / "segmap.png", project.segmap, labels)
        save_style_codes(folder / "styles.safetensors", [project.own, *project.photos.values()])
        crop = None
        if project.photo is not None and project.photo_segmap is not None:
            save_photo(folder / "photo.png", project.photo.image, project.photo.source)
            write_segmap(folder / "seen.png", project.photo_segmap, labels)
            crop = None if project.photo.crop is None else asdict(project.photo.crop)
        index = {
            "format": _FORMAT,
            "model": project.model,
            "crop": crop,
            "style_photos": list(project.photos),
            "begun_styles": [edit.to_json() for edit in project.begun_styles],
            "edits": [edit.to_json() for edit in project.done],
            "undone": [edit.to_json() for edit in project.undone],
        }
        store(path, folder, index)


def read_project(path: Path, labels: LabelSet, model: dict[str, Any], limits: ProjectLimits) -> Project:
    """Read what `write_project` wrote.

    Args:
        path: the folder or zip file.
        labels: of the model that is to go on with it.
        model: `model_of` it.
        limits: what is refused.

    Raises:
        InputError: no project, a damaged one, one of another model, or one over the limits.
    """
    with opened(path, limits) as folder, _plain_errors(path, folder):
        index = json.loads((folder / INDEX_NAME).read_text(encoding="utf-8"))
        if index["format"] != _FORMAT:
            raise InputError(f"expected the format {_FORMAT!r} in {INDEX_NAME}, got {str(index['format'])[:40]!r}")
        _check_model(index["model"], model)
        files = {str(name).partition("-")[0]: folder / name for name in index["files"]}
        labels = _file_labels(labels)
        size = tuple(model["image_size"])
        photo, photo_segmap = None, None
        if "photo" in files:
            photo = _read_photo(files["photo"], index["crop"], limits)
            photo_segmap = _read_map(files["seen"], labels, size, limits)
        own, *others = load_style_codes(files["styles"])
        begun = [edit_from_json(values) for values in index["begun_styles"]]
        styles = [edit for edit in begun if isinstance(edit, SetStyle)]
        if len(styles) < len(begun):
            raise InputError(f"expected only {SetStyle.kind} in begun_styles")
        if len(index["edits"]) + len(index["undone"]) > limits.max_edits:
            raise InputError(f"expected at most {limits.max_edits} edits")
        return Project(
            model=model,
            photo=photo,
            photo_segmap=photo_segmap,
            segmap=_read_map(files["segmap"], labels, size, limits),
            begun_styles=styles,
            own=own,
            photos=dict(zip([str(name) for name in index["style_photos"]], others, strict=True)),
            done=[edit_from_json(values) for values in index["edits"]],
            undone=[edit_from_json(values) for values in index["undone"]],
        )


@contextmanager
def _plain_errors(path: Path, folder: Path) -> Iterator[None]:
    """Whatever a damaged project leads to, as one line that names the project and not where it was unpacked."""
    try:
        yield
    except InputError as error:
        raise InputError(f"cannot open the project {path}: {str(error).replace(f'{folder}/', '')}") from error
    except (AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        reason = " ".join(str(error).replace(f"{folder}/", "").split())[:200]
        raise InputError(f"{path} is no project of sean or is damaged ({type(error).__name__}: {reason})") from error


def _check_model(saved: dict[str, Any], model: dict[str, Any]) -> None:
    different = [key for key in ("labels", "image_size", "weights") if saved[key] != model[key]]
    if different:
        name = f" ({str(saved['name'])[:100]!r})" if saved["name"] else ""
        raise InputError(f"it was made with another model{name}: {', '.join(different)} differ; load that model")


def _read_photo(path: Path, crop: dict[str, Any] | None, limits: ProjectLimits) -> Photo:
    check_png(path, limits)
    source = read_photo(path)
    image = source.image
    if crop is None:
        return Photo(image=image, source=source)
    height, width = (int(extent) for extent in crop["photo_size"])
    square = {key: float(crop[key]) for key in ("top", "left", "size")}
    if (height, width) != image.shape[:2]:
        raise InputError(f"expected a photo of {height} x {width}, the crop's, got {list(image.shape[:2])}")
    return Photo(image=image, crop=Crop(**square, photo_size=(height, width)), source=source)


def _read_map(path: Path, labels: LabelSet, size: tuple[int, ...], limits: ProjectLimits) -> np.ndarray:
    check_png(path, limits)
    segmap = read_segmap(path, labels)
    if segmap.shape != size:
        raise InputError(f"expected a map of the model's size {list(size)} in {path}, got {list(segmap.shape)}")
    return segmap


def _file_labels(labels: LabelSet) -> LabelSet:
    """The labels with an id for pixels of no region in files: a map may have them, whatever its data set has."""
    return labels if labels.ignore_id is not None else replace(labels, ignore_id=labels.num_regions)
