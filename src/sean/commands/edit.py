"""The command that edits photos or continues a project; every step is an edit of `sean.Editor`."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sean.commands.photo_options import (
    DEFAULT_PHOTO_OPTIONS,
    PhotoOptions,
    check_overwrites,
    is_many,
    listed_photos,
    outputs_for,
)
from sean.editing.shapes import SEAM_MARGIN
from sean.errors import InputError
from sean.pretrained import DEFAULT_MODEL

if TYPE_CHECKING:
    from sean.editing.editor import Editor
    from sean.editing.edits import Edit
    from sean.editing.pipeline import SEANPipeline
    from sean.editing.styles import StyleCodes


def edit(
    photo: tuple[Path, ...] = (),
    /,
    *,
    model: str = DEFAULT_MODEL,
    image: Path | None = None,
    segmap: Path | None = None,
    style: tuple[str, ...] = (),
    new_segmap: Path | None = None,
    script: Path | None = None,
    style_photo: tuple[str, ...] = (),
    project: Path | None = None,
    save_project: Path | None = None,
    strength: float = 1.0,
    whole_render: bool = False,
    keep_original: bool = False,
    margin: float = SEAM_MARGIN,
    overwrite: bool = False,
    photos: PhotoOptions = DEFAULT_PHOTO_OPTIONS,
    output: Path,
    device: str = "auto",
) -> None:
    """Edit photos: new styles for regions, a repainted label map, or a script of edits.

    The photo keeps its size, its detail and everything outside the edits. Several photos, or a folder, go into the
    folder --output, with the same edits; torchrun shares them out over processes.

    Examples:
      sean edit me.jpg --style hair=you.jpg -o edited.jpg
      sean edit me.jpg --style "hair=#7a1f2b" --strength 0.8 -o edited.jpg
      sean edit me.jpg --style face+lips=bank:3 --face 1 -o edited.jpg
      sean edit holidays/ --style hair=you.jpg -o edited/
      sean edit me.jpg --segmap me.png --style hair=you.jpg,you.png -o edited.png
      sean edit me.jpg --segmap me.png --new-segmap longer-hair.png -o edited.png
      sean edit me.jpg --script edits.json --style-photo you=you.jpg -o edited.png
      sean edit --project from-the-editor.zip -o edited.png

    A script is a JSON list of edits, as in the project.json of a project: {"kind": "paint", "points": [[0.5, 0.1]],
    "radius": 0.05, "label": "hair"}, {"kind": "set_style", "source": "photo:you", "regions": ["hair"]} and so on.

    Args:
        photo: the photo; or several, or a folder of them.
        model: a bundled name, a model folder, or a hub id owner/name.
        image: the photo, as an option.
        segmap: label map of the whole photo (palette or grey PNG), which is then edited as a whole unless --crop is
            given; left out, the face is found and the parser makes the map.
        style: REGION=SOURCE; repeat the option for more; several regions of one source as hair+skin=SOURCE. A source
            is PHOTO or PHOTO,LABELMAP (names may have commas), bank:N or bank:NAME (a style of the model's bank), mean
            (of the bank), region:NAME (another region of the photo), a colour as #a0522d, or a .safetensors style
            file. A region may be a group, such as face, lips, eyes or brows. sean list shows regions and bank.
        new_segmap: the label map to render instead of the photo's; of the whole photo.
        script: JSON file of edits, applied after those of the other options.
        style_photo: NAME=PHOTO or NAME=PHOTO,LABELMAP, the source photo:NAME of a script; repeat the option for more.
        project: continue a session saved by the editor (a folder or .zip) instead of starting with a photo.
        save_project: save the session with all edits as a folder or .zip that sean web opens too.
        strength: of the styles, from 0, the photo's own, to 1.
        whole_render: put the model's picture into the photo as it is, soft and complete, instead of the edits alone.
        keep_original: no effect, as it is the default; kept for scripts of version 0.1.
        margin: no effect, as repainted parts end at the edges in the photo; kept for scripts of version 0.1.
        overwrite: the output may be the photo itself.
        photos: how photos without a label map are opened.
        output: the picture to write; for several photos, the folder.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.commands.photos import for_each_photo, pipeline_for
    from sean.editing.editor import Editor
    from sean.editing.edits import read_edits

    given = [*photo, *([image] if image is not None else [])]
    _check_beginning(given, project, {"--segmap": segmap, "--new-segmap": new_segmap})
    if not (style or new_segmap or script or project or save_project):
        raise InputError("expected an edit (--style, --new-segmap or --script), got none; see sean edit --help")
    many = is_many(given)
    if keep_original and whole_render:
        raise InputError("expected --keep-original or --whole-render, got both")
    of_one = {"--segmap": segmap, "--new-segmap": new_segmap, "--save-project": save_project}
    if many and (options := [option for option, path in of_one.items() if path is not None]):
        raise InputError(f"expected {' and '.join(options)} with one photo, got several")
    files = listed_photos(given)
    outputs = outputs_for(files, output, many) if files else [output]
    _check_outputs(files, outputs, overwrite)
    edits = [] if script is None else read_edits(script)
    pipeline = pipeline_for(model, device, photos)
    task = _Task(
        photos=photos,
        style=style,
        style_photo=style_photo,
        strength=strength,
        script=script,
        edits=edits,
        save_project=save_project,
        whole_render=whole_render,
    )
    if project is not None:
        task.do(Editor.load(project, pipeline), output)
        return
    maps = (segmap, new_segmap)
    pairs = dict(zip(files, outputs, strict=True))
    for_each_photo(files, lambda path: task.do(_begun(pipeline, path, maps, photos), pairs[path]), many)


def _check_outputs(files: Sequence[Path], outputs: Sequence[Path], overwrite: bool) -> None:
    from sean.images import format_of

    for target in outputs:
        format_of(target)  # fails on a wrong suffix before any work
    check_overwrites(files, outputs, overwrite)


def _begun(
    pipeline: "SEANPipeline", path: Path, maps: tuple[Path | None, Path | None], options: PhotoOptions
) -> "Editor":
    from sean.commands.photos import read_photo
    from sean.editing.editor import Editor

    segmap, new_segmap = maps
    editor = Editor(pipeline)
    editor.set_image(*read_photo(pipeline, path, segmap, options))
    if new_segmap is not None:
        _set_segmap(editor, new_segmap)
    return editor


def _check_beginning(photos: Sequence[Path], project: Path | None, maps: dict[str, Path | None]) -> None:
    if bool(photos) == (project is not None):
        raise InputError(f"expected a photo or a project (--project) to edit, got {'both' if photos else 'neither'}")
    given = [option for option, path in maps.items() if path is not None]
    if project is not None and given:
        raise InputError(f"expected {' and '.join(given)} with a photo only; the project {project} has its own map")


def _set_segmap(editor: "Editor", path: Path) -> None:
    from sean.segmap import segmap_of_photo

    photo = editor.photo
    assert photo is not None and photo.source is not None
    size = editor.pipeline.image_size
    ids = segmap_of_photo(path, editor.pipeline.labels, photo.source, size, path)
    editor.set_segmap(photo.seen_map(ids, size))


@dataclass(kw_only=True)
class _Task:
    """The work of one command on each of its photos. Style photos and files are opened once.

    Attributes:
        photos: how style photos are opened.
        style, style_photo, strength, script, save_project, whole_render: the command's options.
        edits: of the script.
    """

    photos: PhotoOptions
    style: Sequence[str]
    style_photo: Sequence[str]
    strength: float
    script: Path | None
    edits: "Sequence[Edit]"
    save_project: Path | None
    whole_render: bool

    def __post_init__(self) -> None:
        self._opened: dict[str, StyleCodes] = {}

    def do(self, editor: "Editor", target: Path) -> None:
        """Edit, and write the picture."""
        names: dict[str, str] = {}
        for option in self.style_photo:
            name, equals, files = option.partition("=")
            if not equals or not name or not files:
                raise InputError(f"expected --style-photo NAME=PHOTO, e.g. you=you.jpg, got {option!r}")
            names[files] = editor.add_styles(name, self._styles(editor, files))
        for option in self.style:
            regions, source = _parse_style_option(option)
            editor.set_style(regions, self._source(editor, source, names), strength=self.strength)
        _replay(editor, self.edits, self.script)
        if self.save_project is not None:
            editor.save(self.save_project)
            print(f"{self.save_project}: project with {editor.num_edits} edits")
        height, width = _written(editor, target, self.whole_render)
        print(f"{target}: {width} x {height}{_note(editor, (height, width))}")

    def _source(self, editor: "Editor", text: str, names: dict[str, str]) -> str:
        """The source, for `set_style`, of SOURCE in --style; a file becomes a style photo of the editor."""
        from sean.editing.edits import is_source

        if is_source(text):
            return text
        if text not in names:
            name = editor.new_name(_photo_and_map(text)[0].stem)
            names[text] = editor.add_styles(name, self._styles(editor, text))
        return names[text]

    def _styles(self, editor: "Editor", text: str) -> "StyleCodes":
        from sean.commands.photos import open_photo
        from sean.editing.styles import StyleCodes

        if text not in self._opened:
            if text.endswith(".safetensors"):
                self._opened[text] = StyleCodes.load(text)
            else:  # --crop and --face apply to the edited photo only
                image, segmap = _photo_and_map(text)
                crop = "none" if self.photos.crop == "none" else "auto"
                options = replace(self.photos, crop=crop, face=0)
                self._opened[text] = open_photo(editor.pipeline, image, segmap, options).styles
        return self._opened[text]


def _parse_style_option(option: str) -> tuple[list[str], str]:
    regions, equals, source = option.partition("=")
    if not equals or not regions or not source:
        raise InputError(f"expected --style REGION=SOURCE, e.g. hair=you.jpg, got {option!r}")
    return regions.split("+"), source


def _photo_and_map(text: str) -> tuple[Path, Path | None]:
    """The files of PHOTO or PHOTO,LABELMAP; names may have commas, so existing files decide where PHOTO ends."""
    parts = text.split(",")
    splits = [(",".join(parts[:count]), ",".join(parts[count:])) for count in range(len(parts), 0, -1)]
    existing = (pair for pair in splits if os.path.exists(pair[0]))
    image, segmap = next(existing, (parts[0], ",".join(parts[1:])))
    return Path(image), Path(segmap) if segmap else None


def _replay(editor: "Editor", edits: "Iterable[Edit]", script: Path | None) -> None:
    try:
        editor.replay(edits)
    except InputError as error:
        raise InputError(f"{script}, {error}") from error


def _written(editor: "Editor", output: Path, whole_render: bool) -> tuple[int, int]:
    """Write the edited photo, or the model's picture if the session has no photo.

    Returns:
        Height and width of the picture written.
    """
    from sean.images import save_image

    photo = editor.photo
    if photo is None or (whole_render and photo.crop is None):
        save_image(output, editor.render())
        return editor.pipeline.image_size
    editor.save_composite(output, blend="render" if whole_render else "detail")
    return photo.image.shape[0], photo.image.shape[1]


def _note(editor: "Editor", size: tuple[int, int]) -> str:
    from sean.commands.photos import seen_square

    if editor.photo is None:
        return ""
    if editor.photo.crop is not None:
        return seen_square(editor.photo.crop)
    height, width = editor.photo.image.shape[:2]
    return "" if size == (height, width) else f", the model's size (the photo is {width} x {height})"
