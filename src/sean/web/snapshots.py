"""What the server takes from an editor: its state as JSON, and its picture and map, with or without a preview."""

from dataclasses import dataclass

from sean.editing.editor import Editor
from sean.editing.edits import Edit
from sean.editing.sources import OWN
from sean.web.pictures import map_png, png
from sean.web.schemas import Region, Source, State


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A picture and the map that it was made of, as PNG files.

    Attributes:
        version: of the session's state.
        picture: RGB.
        map: palette.
    """

    version: int
    picture: bytes
    map: bytes


def snapshot(session_id: str, editor: Editor, version: int) -> State:
    """The state of an editor as clients see it."""
    names = editor.pipeline.labels.names
    regions = [
        Region(
            label=names[region.label],
            instance=region.instance,
            area=region.area,
            styles=[(OWN, 1.0) if setting is None else setting for setting in region.styles],
        )
        for region in editor.regions
    ]
    return State(
        id=session_id,
        version=version,
        has_photo=editor.photo is not None,
        regions=regions,
        sources=[Source(source=name, regions=list(has)) for name, has in editor.sources.items()],
        can_undo=editor.can_undo,
        can_redo=editor.can_redo,
        edits=editor.num_edits,
    )


def frame(editor: Editor, version: int, preview: Edit | None = None) -> Frame:
    """The picture of an editor's state, or, quicker and not quite as exact, of a preview: an edit that is not done.

    Raises:
        InputError: the edit cannot be applied.
    """
    state = editor.state if preview is None else editor.after(preview)
    picture = editor.render(state, quick=preview is not None)
    return Frame(version=version, picture=png(picture), map=map_png(state.segmap, editor.pipeline.labels))


def original_of(editor: Editor) -> bytes:
    """What the model sees of the photo or, where there is none, what it makes of the present state; PNG."""
    return png(editor.render() if editor.original is None else editor.original)
