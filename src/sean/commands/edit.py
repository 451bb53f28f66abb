"""The command that edits a photo or goes on with a project: everything it does is an edit of `sean.Editor`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sean.commands.photo_options import DEFAULT_PHOTO_OPTIONS, PhotoOptions
from sean.editing.edit_values import SEAM_MARGIN
from sean.errors import InputError
from sean.pretrained import DEFAULT_MODEL

if TYPE_CHECKING:
    from sean.editing.editor import Editor
    from sean.editing.edits import Edit


def edit(
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
    keep_original: bool = False,
    margin: float = SEAM_MARGIN,
    photos: PhotoOptions = DEFAULT_PHOTO_OPTIONS,
    output: Path,
    device: str = "auto",
) -> None:
    """Edit a photo: styles of regions from elsewhere, a repainted label map, or a script of edits.

    Examples:
      sean edit --image me.jpg --style hair=you.jpg --output edited.png
      sean edit --image me.jpg --style hair=you.jpg --keep-original --output edited.png
      sean edit --image me.jpg --segmap me.png --style hair=you.jpg,you.png --output edited.png
      sean edit --image me.jpg --segmap me.png --style hair=bank:3 --style skin=saved.safetensors --output edited.png
      sean edit --image me.jpg --segmap me.png --new-segmap longer-hair.png --output edited.png
      sean edit --image me.jpg --script edits.json --style-photo you=you.jpg --output edited.png
      sean edit --project from-the-editor.zip --output edited.png

    A script is a JSON list of edits, as in the project.json of a project: {"kind": "paint", "points": [[0.5, 0.1]],
    "radius": 0.05, "label": "hair"}, {"kind": "set_style", "source": "photo:you", "regions": ["hair"]} and so on.

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        image: the photo.
        segmap: its label map (palette or grey PNG); left out, the parser makes it.
        style: REGION=SOURCE; repeat the option for more; several regions of one source as hair+skin=SOURCE. A source
            is PHOTO or PHOTO,LABELMAP (names may have commas) or bank:N (a style of the model's bank), mean (of the
            bank), region:NAME (another region of the photo), a colour as #a0522d, or a .safetensors style file. A
            region may be a group, such as face, lips, eyes or brows.
        new_segmap: the label map to render, if it is another than the photo's; of the whole photo.
        script: JSON file of edits, done after those of the other options.
        style_photo: NAME=PHOTO or NAME=PHOTO,LABELMAP, what a script names photo:NAME; repeat the option for more.
        project: go on with a session saved by the editor (a folder or .zip) instead of beginning with a photo.
        save_project: save the session, with everything done, as a folder or .zip that sean web opens too.
        keep_original: keep the photo where map and styles are its own; the picture gets the photo's size.
        margin: with keep_original, how far beyond the edited pixels the picture fades out, as a part of its height.
        photos: how photos without a label map are opened.
        output: the picture to write.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.commands.photos import pipeline_for, read_photo
    from sean.editing.editor import Editor
    from sean.editing.edits import read_edits
    from sean.images import format_of

    format_of(output)  # refuses a wrong suffix before any work
    _check_beginning(image, project, {"--segmap": segmap, "--new-segmap": new_segmap})
    edits = [] if script is None else read_edits(script)
    pipeline = pipeline_for(model, device, photos)
    if image is not None:
        editor = Editor(pipeline)
        editor.set_image(*read_photo(pipeline, image, segmap, photos))
        if new_segmap is not None:
            _set_segmap(editor, new_segmap)
    elif project is not None:
        editor = Editor.load(project, pipeline)
    shelf = _Shelf(editor, photos)
    for option in style_photo:
        shelf.named_photo(option)
    for option in style:
        regions, source = _parse_style_option(option)
        editor.set_style(regions, shelf.source(source))
    _replay(editor, edits, script)
    if save_project is not None:
        editor.save(save_project)
        print(f"{save_project}: project with {editor.num_edits} edits")
    height, width = _written(editor, output, keep_original, margin)
    print(f"{output}: {width} x {height}{_note(editor, (height, width))}")


def _check_beginning(image: Path | None, project: Path | None, maps: dict[str, Path | None]) -> None:
    if (image is None) == (project is None):
        raise InputError(
            f"expected a photo (--image) or a project (--project) to edit, got {'neither' if image is None else 'both'}"
        )
    given = [option for option, path in maps.items() if path is not None]
    if project is not None and given:
        raise InputError(f"expected {' and '.join(given)} with --image only; the project {project} has its own map")


def _set_segmap(editor: "Editor", path: Path) -> None:
    from sean.segmap import segmap_of_photo

    photo = editor.photo
    assert photo is not None and photo.source is not None
    size = editor.pipeline.image_size
    ids = segmap_of_photo(path, editor.pipeline.labels, photo.source, size, path)
    editor.set_segmap(photo.seen_map(ids, size))


@dataclass
class _Shelf:
    """The style photos and files of one command, each opened once."""

    editor: "Editor"
    options: PhotoOptions

    def __post_init__(self) -> None:
        self._sources: dict[str, str] = {}

    def named_photo(self, option: str) -> None:
        """Add the style photo of an option NAME=PHOTO or NAME=PHOTO,LABELMAP."""
        name, equals, files = option.partition("=")
        if not equals or not name or not files:
            raise InputError(f"expected --style-photo NAME=PHOTO, e.g. you=you.jpg, got {option!r}")
        self._sources[files] = self._add(name, files)

    def source(self, text: str) -> str:
        """What `set_style` calls the SOURCE of an option --style; a file is opened for it."""
        from sean.editing.edit_values import is_source

        if is_source(text):
            return text
        if text not in self._sources:
            self._sources[text] = self._add(self.editor.new_name(_photo_and_map(text)[0].stem), text)
        return self._sources[text]

    def _add(self, name: str, text: str) -> str:
        from sean.commands.photos import open_photo
        from sean.editing.styles import StyleCodes

        if text.endswith(".safetensors"):
            return self.editor.add_styles(name, StyleCodes.load(text))
        image, segmap = _photo_and_map(text)
        return self.editor.add_styles(name, open_photo(self.editor.pipeline, image, segmap, self.options).styles)


def _parse_style_option(option: str) -> tuple[list[str], str]:
    regions, equals, source = option.partition("=")
    if not equals or not regions or not source:
        raise InputError(f"expected --style REGION=SOURCE, e.g. hair=you.jpg, got {option!r}")
    return regions.split("+"), source


def _photo_and_map(text: str) -> tuple[Path, Path | None]:
    """The files of PHOTO or PHOTO,LABELMAP; names may have commas: what exists says where the photo's name ends."""
    parts = text.split(",")
    splits = [(",".join(parts[:count]), ",".join(parts[count:])) for count in range(len(parts), 0, -1)]
    existing = (pair for pair in splits if Path(pair[0]).exists())
    image, segmap = next(existing, (parts[0], ",".join(parts[1:])))
    return Path(image), Path(segmap) if segmap else None


def _replay(editor: "Editor", edits: "Iterable[Edit]", script: Path | None) -> None:
    try:
        editor.replay(edits)
    except InputError as error:
        raise InputError(f"{script}, {error}") from error


def _written(editor: "Editor", output: Path, keep_original: bool, margin: float) -> tuple[int, int]:
    """Write the whole photo where a part of it was edited or is to be kept, otherwise what the model made of it.

    Returns:
        Height and width of the picture written.
    """
    from sean.images import save_image

    photo = editor.photo
    if photo is None or not (keep_original or photo.crop is not None):
        if keep_original:
            editor.composite()  # refuses a session without a photo
        save_image(output, editor.render())
        return editor.pipeline.image_size
    editor.save_composite(output, keep_original=keep_original, margin=margin if keep_original else 0.0)
    return photo.image.shape[0], photo.image.shape[1]


def _note(editor: "Editor", size: tuple[int, int]) -> str:
    from sean.commands.photos import edited_square

    if editor.photo is None:
        return ""
    if editor.photo.crop is not None:
        return edited_square(editor.photo.crop)
    height, width = editor.photo.image.shape[:2]
    return "" if size == (height, width) else f", the model's size (the photo is {width} x {height})"
