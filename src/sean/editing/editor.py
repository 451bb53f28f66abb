"""The editor: one picture, everything done to it, and what the model makes of that. It has no user interface.

    editor = sean.Editor(pipeline, parser=parser)
    editor.set_image(photo, crop="auto")
    editor.paint([(0.4, 0.2), (0.6, 0.2)], radius=0.05, label="hair")
    editor.set_style("bank:3", ["hair"], strength=0.7)
    editor.composite().save("edited.png")
    editor.undo()

Edits are values (`sean.editing.edits`): the same edits on the same beginning give the same picture, bit for bit.
Editors share the model of their pipelines and nothing else; one editor is for one thread at a time.
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from sean.editing.canvas import faded
from sean.editing.edit_values import SEAM_MARGIN
from sean.editing.pipeline import SEANPipeline
from sean.editing.project import Project, begun_styles, model_of, read_project, write_project
from sean.editing.project_files import ProjectLimits
from sean.editing.rendering import render_styles, touched_pixels
from sean.editing.session import Session
from sean.editing.sources import Sources
from sean.editing.state import EditorState, new_state
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.images import ImageLike
from sean.parsing.faces.crop import DEFAULT_FEATHER
from sean.parsing.photo import CropChoice, Photo, open_photo, seen_segmap
from sean.parsing.segmenter import Segmenter
from sean.photo_output import save_photo
from sean.segmap import SegmapLike, resize_segmap, segmap_of

_WIDEST_MARGIN = 0.1


class Editor(Session):
    """A session of editing.

    Args:
        pipeline: the model, which any number of editors may share.
        parser: makes the map of a photo that comes without one; its labels are the model's.

    Raises:
        InputError: a parser of other labels.
    """

    def __init__(self, pipeline: SEANPipeline, *, parser: Segmenter | None = None) -> None:
        if parser is not None and parser.labels.names != pipeline.labels.names:
            raise InputError(
                f"expected a parser for the labels {pipeline.labels.name!r} of the model, got one for "
                f"{parser.labels.name!r}; open it with the model's labels"
            )
        sources = Sources(pipeline.labels, pipeline.model.code_dim, pipeline.style_bank)
        super().__init__(sources, pipeline.model.style_inputs)
        self.pipeline = pipeline.fork()
        self.parser = parser
        self._photo: Photo | None = None
        self._photo_segmap: np.ndarray | None = None
        self._rendered: tuple[EditorState, int | None, Image.Image] | None = None

    def set_image(self, image: ImageLike, segmap: SegmapLike | None = None, *, crop: CropChoice = None) -> None:
        """Begin a new session with a photo; style photos stay.

        Args:
            image: the path of a file, a PIL picture (turned upright as its EXIF orientation says, in sRGB as its ICC
                profile says) or uint8 [h, w, 3], of any size.
            segmap: label ids of the whole photo: the path of a file, a PIL picture or integers [h, w], of the photo's
                shape in any size, or of the model's size; None has the parser make it.
            crop: the square of the photo to edit. "auto" finds the face; where there is none, it is the square around
                the whole photo. None takes the whole photo, stretched to the model's size.

        Raises:
            InputError: not a picture, no map of these labels and this shape, or neither map nor parser. The session
                goes on then.
        """
        photo = open_photo(image, crop, self.parser)
        ids = seen_segmap(photo, segmap, self.parser, self.pipeline.labels, self.pipeline.image_size)
        styles = self.pipeline.encode(photo.seen(self.pipeline.image_size), ids)
        self._sources.own = styles
        self._photo, self._photo_segmap = photo, ids
        self._begin(new_state(ids))

    def set_segmap(self, segmap: SegmapLike) -> None:
        """Begin anew on another map; photo and styles stay, those set for instances go with their instances.

        Before there is a photo, its own styles are the mean of the model's bank (see `set_own_styles`).

        Args:
            segmap: label ids of what the model sees (of the crop, where there is one): the path of a file, a PIL
                picture or integers [h, w]; resized to the model's size.

        Raises:
            InputError: no map of these labels.
        """
        ids = segmap_of(segmap, self.pipeline.labels)
        set_so_far = {} if self._history is None else self._history.state.styles
        styles = {key: blocks for key, blocks in set_so_far.items() if not key[1]}
        self._begin(new_state(resize_segmap(ids, self.pipeline.image_size), styles=styles))

    def set_own_styles(self, styles: StyleCodes) -> None:
        """Say what the "own" styles of a session without a photo are. It begins anew on its map, with nothing set.

        Raises:
            InputError: styles of another model, or there is a photo, whose own styles are encoded from it.
        """
        if self._photo is not None:
            raise InputError("expected no own styles for a session with a photo; add_styles and set_style give it some")
        self._sources.own = styles
        if self._history is not None:  # styles of regions may have come from own ones that are no longer there
            self._begin(new_state(self._history.state.segmap))

    def add_style_photo(
        self, name: str, image: ImageLike, segmap: SegmapLike | None = None, *, crop: CropChoice = None
    ) -> str:
        """Encode a photo whose styles edits can then take.

        Args:
            name: new in this editor.
            image: see `set_image`.
            segmap: see `set_image`.
            crop: see `set_image`.

        Returns:
            The source for `set_style`, "photo:NAME".

        Raises:
            InputError: see `set_image`, or the name is taken.
        """
        photo = open_photo(image, crop, self.parser)
        ids = seen_segmap(photo, segmap, self.parser, self.pipeline.labels, self.pipeline.image_size)
        return self.add_styles(name, self.pipeline.encode(photo.seen(self.pipeline.image_size), ids))

    def add_styles(self, name: str, styles: StyleCodes) -> str:
        """Add styles as those of a style photo; see `add_style_photo`."""
        return self._sources.add(name, styles)

    @property
    def photo(self) -> Photo | None:
        """The photo and its crop; None in a session without one."""
        return self._photo

    @property
    def original(self) -> np.ndarray | None:
        """What the model sees of the photo: uint8 [h, w, 3] of its size."""
        return None if self._photo is None else self._photo.seen(self.pipeline.image_size)

    @property
    def touched(self) -> np.ndarray:
        """bool [h, w] of the model's size: where map, instances or styles are no longer the picture's own."""
        base = self._begun
        original = base.state.segmap if self._photo_segmap is None else self._photo_segmap
        return touched_pixels(self.state, original, base)

    def render(self, state: EditorState | None = None, *, seed: int | None = None, quick: bool = False) -> Image.Image:
        """The picture of a state, of the model's size.

        Args:
            state: by default the present one; or one from `after`.
            seed: of the learned noise; without a seed there is none.
            quick: begin from what the last quick picture left, as while a brush is moving. Some pixels may then differ
                from the exact picture by one level of 255. Otherwise the picture depends on the state only.
        """
        state, base = self.state if state is None else state, self._begun
        if self._rendered is not None and self._rendered[:2] == (state, seed):
            return self._rendered[2].copy()
        styles = render_styles(state, base)
        pipeline = self.pipeline if quick else self.pipeline.fork()
        per_variant = styles.variants if styles.numbers is not None else styles.variants[0]
        picture = pipeline(state.segmap, per_variant, variants=styles.numbers, noise=seed is not None, seed=seed or 0)
        if not quick:
            self._rendered = (state, seed, picture.copy())
        return picture

    def composite(
        self,
        *,
        keep_original: bool = True,
        margin: float = 0.0,
        feather: float = DEFAULT_FEATHER,
        seed: int | None = None,
    ) -> Image.Image:
        """The whole photo with the edited picture in its place, upright, in sRGB; see also `save_composite`.

        Args:
            keep_original: leave what is not `touched` as it is in the photo, bit for bit; else the model's picture
                covers the whole crop.
            margin: in [0, 0.1], a part of the model's height: so far beyond what is touched the picture fades out;
                `SEAM_MARGIN` hides most seams. With 0 the photo's own pixels begin where nothing is touched.
            feather: width, as a part of the crop's size, of the edge in which the photo goes over into the picture at
                the borders of the crop.
            seed: see `render`.

        Raises:
            InputError: there is no photo, or a margin out of range.
        """
        edited = self.composited(keep_original=keep_original, margin=margin, feather=feather, seed=seed)
        return Image.fromarray(edited)

    def composited(
        self,
        *,
        keep_original: bool = True,
        margin: float = 0.0,
        feather: float = DEFAULT_FEATHER,
        seed: int | None = None,
    ) -> np.ndarray:
        """The same as `composite` as uint8 [h, w, 3], which takes less memory."""
        if self._photo is None:
            raise InputError("expected a session with a photo to put the edits into; begin it with set_image")
        if not 0 <= margin <= _WIDEST_MARGIN:
            raise InputError(f"expected a margin in [0, {_WIDEST_MARGIN}], got {margin}")
        # one pixel more: the first pixel beyond what is touched is at a distance of 1
        weights = faded(self.touched, margin * self.pipeline.image_size[0] + 1) if keep_original else None
        return self._photo.with_edit(np.asarray(self.render(seed=seed)), weights, feather)

    def save_composite(
        self,
        path: str | os.PathLike[str],
        *,
        keep_original: bool = True,
        margin: float = SEAM_MARGIN,
        feather: float = DEFAULT_FEATHER,
        seed: int | None = None,
    ) -> None:
        """Write the whole photo with the edits in it as its file was: ICC profile, transparency and EXIF stay.

        Args:
            path: the suffix names the format; what that cannot hold is left out (see `sean.photo_output`).
            keep_original, margin, feather, seed: see `composite`.

        Raises:
            InputError: see `composite`, or the file cannot be written.
        """
        edited = self.composited(keep_original=keep_original, margin=margin, feather=feather, seed=seed)
        save_photo(path, edited, None if self._photo is None else self._photo.source)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the session as a project (see `sean.editing.project`): a folder, or a zip file if it is named so.

        Raises:
            InputError: the place cannot be written or holds something else.
        """
        history = self._begun_history
        project = Project(
            model=model_of(self.pipeline),
            photo=self._photo,
            photo_segmap=self._photo_segmap,
            segmap=self._begun.state.segmap,
            begun_styles=begun_styles(self._begun.state),
            own=self._sources.own,
            photos=self._sources.photos,
            done=list(history.done()),
            undone=list(history.undone()),
        )
        write_project(Path(path), project, self.pipeline.labels)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        pipeline: SEANPipeline,
        *,
        parser: Segmenter | None = None,
        limits: ProjectLimits | None = None,
    ) -> "Editor":
        """Go on with a saved session: the same picture, and the same edits to undo and redo.

        Args:
            path: what `save` wrote.
            pipeline: of the model that the session was made with.
            parser: see `Editor`.
            limits: what a project of a stranger may be.

        Raises:
            InputError: no project, a damaged one, or one of another model.
        """
        project = read_project(Path(path), pipeline.labels, model_of(pipeline), limits or ProjectLimits())
        editor = cls(pipeline, parser=parser)
        try:
            editor._sources.own = project.own
            for name, styles in project.photos.items():
                editor.add_styles(name, styles)
            editor._photo, editor._photo_segmap = project.photo, project.photo_segmap
            editor._begin(new_state(project.segmap))
            editor.replay(project.begun_styles)
            editor._begin(editor.state)
            editor.replay([*project.done, *project.undone])
        except InputError as error:
            raise InputError(f"cannot open the project {path}: {error}") from error
        for _ in project.undone:
            editor.undo()
        return editor
