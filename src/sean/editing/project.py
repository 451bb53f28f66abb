"""Projects: sessions of the editor on the disk, as a folder or a zip file.

project.json                      the edits, done and undone, the crop, the model, and which files belong to it
segmap-HASH.png                   the map at the start of the session
styles-HASH.safetensors           own styles and those of the style photos
photo-HASH.png, seen-HASH.png     the photo, with its ICC profile, transparency and EXIF block, and the map of the part
                                  that the model sees; only in sessions with a photo

File names contain a hash of the content, and the index, project.json, is written last. A folder therefore always holds
either the old project or the new one, and unchanged files are not written again. Projects are untrusted input.
"""

import hashlib
import json
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from sean.editing.edits import Edit, SetStyle, edit_from_json
from sean.editing.pipeline import SEANPipeline
from sean.editing.state import EditorState
from sean.editing.styles import StyleCodes, load_style_codes, save_style_codes
from sean.errors import InputError
from sean.files import atomic_write, read_json, write_text_atomic
from sean.images import read_photo
from sean.labels import LabelSet
from sean.parsing.faces import Crop
from sean.parsing.photo import Photo
from sean.photo_output import save_photo
from sean.segmap import read_segmap, write_segmap

_FORMAT = "sean project 1"
_HEADING = re.compile(r"^#+ *(.{1,100})$", re.MULTILINE)
_SAMPLED = 8
INDEX_NAME = "project.json"
_FILE = re.compile(r"(segmap|seen|photo)-[0-9a-f]{16}\.png|styles-[0-9a-f]{16}\.safetensors")
_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNK = 1 << 20
# Errors of zipfile for damaged, encrypted and other files; RuntimeError also for unknown compression.
ZIP_ERRORS = (EOFError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, kw_only=True)
class ProjectLimits:
    """Limits for reading projects; servers set lower limits than the defaults.

    Attributes:
        max_bytes: unpacked size of all files together.
        max_pixels: number of pixels of the photo.
        max_edits: number of edits, applied and undone.
    """

    max_bytes: int = 1 << 30
    max_pixels: int = 178_000_000
    max_edits: int = 1_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Project:
    """The content of a session.

    Attributes:
        model: identity of the session's model, see `model_of`.
        photo: the photo and its crop; None in a session without a photo.
        photo_segmap: label ids of the photo, integers [h, w] of the model's size, before any edit.
        segmap: label ids at the start of the session.
        begun_styles: edits that set the styles at the start of the session.
        own: the picture's own styles.
        photos: styles of style photos, by name.
        done: the applied edits.
        undone: the edits that can be redone.
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
    """The identity of a model: the heading of its card, its sizes, and a hash over a sample of its weights."""
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
    """Edits that set the styles of labels as classes in a state, separately for each block."""
    edits = []
    for (label, instance), settings in state.styles.items():
        for block, setting in enumerate(settings):
            if setting is not None and not instance:
                blocks = None if len(settings) == 1 else (block,)
                edits.append(SetStyle(source=setting[0], strength=setting[1], regions=(label,), blocks=blocks))
    return edits


def write_project(path: Path, project: Project, labels: LabelSet) -> None:
    """Write a project atomically; see `store`.

    Args:
        path: a folder, created if missing, or a file that ends in .zip.
        project: the content.
        labels: label set of the maps.

    Raises:
        InputError: the path cannot be written or holds something else.
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
    """Read a project written by `write_project`.

    Args:
        path: the folder or zip file.
        labels: label set of the model that opens the project.
        model: `model_of` that model.
        limits: limits; larger projects are refused.

    Raises:
        InputError: the project is missing or damaged, belongs to another model, or exceeds the limits.
    """
    with opened(path, limits) as folder, _plain_errors(path, folder):
        index = read_json(folder / INDEX_NAME, _Index, "the index of a project")
        if index.format != _FORMAT:
            raise InputError(f"expected the format {_FORMAT!r} in {INDEX_NAME}, got {index.format[:40]!r}")
        _check_model(index.model, model)
        files = {name.partition("-")[0]: folder / name for name in index.files}
        absent = [name for name in ("segmap", "styles") if name not in files]
        if absent or ("photo" in files) != ("seen" in files):
            raise InputError(f"expected files of segmap and styles, and of photo and seen or neither, got {[*files]}")
        labels = _file_labels(labels)
        size = tuple(model["image_size"])
        photo, photo_segmap = None, None
        if "photo" in files:
            photo = _read_photo(files["photo"], index.crop, limits)
            photo_segmap = _read_map(files["seen"], labels, size, limits)
        own, *others = load_style_codes(files["styles"])
        begun = [edit_from_json(values) for values in index.begun_styles]
        styles = [edit for edit in begun if isinstance(edit, SetStyle)]
        if len(styles) < len(begun):
            raise InputError("expected only set_style in begun_styles")
        if len(index.edits) + len(index.undone) > limits.max_edits:
            raise InputError(f"expected at most {limits.max_edits} edits")
        if len(index.style_photos) != len(others):
            raise InputError(f"expected styles of {len(index.style_photos)} style photos, got {len(others)}")
        return Project(
            model=model,
            photo=photo,
            photo_segmap=photo_segmap,
            segmap=_read_map(files["segmap"], labels, size, limits),
            begun_styles=styles,
            own=own,
            photos=dict(zip(index.style_photos, others, strict=True)),
            done=[edit_from_json(values) for values in index.edits],
            undone=[edit_from_json(values) for values in index.undone],
        )


@contextmanager
def _plain_errors(path: Path, folder: Path) -> Iterator[None]:
    """Report any error of a damaged project in one line that names the project, not the temporary folder."""
    try:
        yield
    except InputError as error:
        raise InputError(f"cannot open the project {path}: {str(error).replace(f'{folder}/', '')}") from error
    except OSError as error:
        raise InputError(f"cannot open the project {path}: {error.strerror}; it is damaged") from error


def _check_model(saved: "_Model", model: dict[str, Any]) -> None:
    different = [key for key in ("labels", "image_size", "weights") if getattr(saved, key) != model[key]]
    if different:
        name = f" ({saved.name[:100]!r})" if saved.name else ""
        raise InputError(
            f"it was made with another model{name}: {', '.join(different)} differ; open it with that model"
        )


def _read_photo(path: Path, crop: "_CropValues | None", limits: ProjectLimits) -> Photo:
    check_png(path, limits)
    source = read_photo(path)
    image = source.image
    if crop is None:
        return Photo(image=image, source=source)
    if crop.photo_size != image.shape[:2]:
        height, width = crop.photo_size
        raise InputError(f"expected a photo of {height} x {width}, the crop's, got {list(image.shape[:2])}")
    return Photo(image=image, crop=Crop(**crop.model_dump()), source=source)


def _read_map(path: Path, labels: LabelSet, size: tuple[int, ...], limits: ProjectLimits) -> np.ndarray:
    check_png(path, limits)
    segmap = read_segmap(path, labels)
    if segmap.shape != size:
        raise InputError(f"expected a map of the model's size {list(size)} in {path}, got {list(segmap.shape)}")
    return segmap


def _file_labels(labels: LabelSet) -> LabelSet:
    """The labels with an id for pixels without a region, which maps may contain even if the data set has none."""
    return labels if labels.ignore_id is not None else replace(labels, ignore_id=labels.num_regions)


def store(path: Path, made: Path, index: dict[str, Any]) -> None:
    """Store the files in a folder as a project.

    Args:
        path: a folder, created if missing, or a file that ends in .zip; an existing project is replaced.
        made: folder with the files, named segmap.png and so on.
        index: the content of project.json without the file names.

    Raises:
        InputError: the path cannot be written or holds something else.
    """
    files = {}
    for file in sorted(made.iterdir()):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        files[f"{file.stem}-{digest}{file.suffix}"] = file
    text = json.dumps({**index, "files": list(files)}) + "\n"
    if path.suffix.lower() == ".zip":
        with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(INDEX_NAME, text)
            for name, file in files.items():
                archive.write(file, name)
        return
    if path.is_dir() and any(path.iterdir()) and not (path / INDEX_NAME).is_file():
        raise InputError(f"expected a new folder or a project at {path}, found other files; choose another name")
    for name, file in files.items():
        if not (path / name).is_file() or (path / name).read_bytes() != file.read_bytes():
            with atomic_write(path / name) as temporary:
                shutil.copyfile(file, temporary)
    write_text_atomic(path / INDEX_NAME, text)
    for file in path.iterdir():
        if _FILE.fullmatch(file.name) and file.name not in files:
            file.unlink(missing_ok=True)


@contextmanager
def opened(path: Path, limits: ProjectLimits) -> Iterator[Path]:
    """Context manager for a folder with the files of a project; a zip file is unpacked.

    Raises:
        InputError: the project is missing, is damaged, names files outside its folder, or exceeds the limits.
    """
    if not path.exists():
        raise InputError(f"expected a project, a folder or a .zip, at {path}, found none; check the path")
    if path.is_dir():
        yield _checked(path, path)
        return
    with tempfile.TemporaryDirectory() as name:
        try:
            _unpack(path, Path(name), limits)
        except InputError:
            raise
        except ZIP_ERRORS as error:
            raise InputError(f"{path} is no zip file of a project or is damaged ({type(error).__name__})") from error
        yield _checked(Path(name), path)


def check_png(path: Path, limits: ProjectLimits) -> None:
    """Refuse, before decoding, a file that is not a PNG or has too many pixels."""
    with path.open("rb") as file:
        head = file.read(24)
    if len(head) < 24 or head[:8] != _PNG or head[12:16] != b"IHDR":
        raise InputError(f"expected a PNG in {path.name}; it is damaged")
    width, height = struct.unpack(">II", head[16:24])
    if width * height > limits.max_pixels:
        raise InputError(f"expected at most {limits.max_pixels} pixels in {path.name}, got {width} x {height}")


def _unpack(path: Path, folder: Path, limits: ProjectLimits) -> None:
    left = limits.max_bytes
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename != INDEX_NAME and not _FILE.fullmatch(info.filename):
                continue  # not a file of a project, whatever its path
            with archive.open(info) as packed, (folder / info.filename).open("wb") as file:
                while chunk := packed.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise InputError(f"{path} unpacks to more than the {limits.max_bytes} bytes allowed")
                    file.write(chunk)


def _checked(folder: Path, path: Path) -> Path:
    """The folder, after a check that its index names only files of a project."""
    if not (folder / INDEX_NAME).is_file():
        raise InputError(f"expected a project with a {INDEX_NAME} at {path}, found none in it")
    with _plain_errors(path, folder):
        index = read_json(folder / INDEX_NAME, _Index, "the index of a project")
        if not all(_FILE.fullmatch(name) for name in index.files):
            raise InputError(f"{INDEX_NAME} is damaged: it names files that do not belong to a project")
    return folder


class _Model(BaseModel):
    name: str
    labels: list[str]
    image_size: list[int]
    weights: str


class _CropValues(BaseModel):
    top: float
    left: float
    size: float
    photo_size: tuple[int, int]
    angle: float = 0.0  # older projects have none


class _Index(BaseModel):
    """The content of project.json; every edit is validated separately."""

    format: str
    model: _Model
    crop: _CropValues | None
    style_photos: list[str]
    begun_styles: list[Any]
    edits: list[Any]
    undone: list[Any]
    files: list[str]
