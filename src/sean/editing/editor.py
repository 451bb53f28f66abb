"""The editor: a photo or label map, its edits, and the model's picture of the result. It has no user interface.

    editor = sean.Editor.from_pretrained()
    editor.set_image("me.jpg")
    editor.paint([(0.4, 0.2), (0.6, 0.2)], radius=0.05, label="hair")
    editor.set_style("hair", "bank:3", strength=0.7)
    editor.composite().save("edited.png")
    editor.undo()

Edits are values (`sean.editing.edits`): the same edits from the same start give the same picture, bit for bit. Editors
share only the model of their pipelines. An editor must not be used by two threads at once.
"""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sean.devices import AUTO
from sean.editing.edits import (
    SOURCE_FORMS,
    Edit,
    Erase,
    Fill,
    Paint,
    Polygon,
    ReplaceLabel,
    ResetSegmap,
    SetStyle,
    SplitRegion,
    is_source,
    new_edit,
)
from sean.editing.history import History
from sean.editing.photo_composite import BLENDS, Blend, PhotoComposite
from sean.editing.pipeline import SEANPipeline
from sean.editing.project import Project, ProjectLimits, begun_styles, model_of, read_project, write_project
from sean.editing.shapes import SEAM_MARGIN, faded
from sean.editing.sources import MAX_NAME, Sources
from sean.editing.state import Base, EditorState, Region, applied, new_state, render_styles, touched_pixels
from sean.editing.styles import StyleCodes, mean_colours
from sean.errors import InputError
from sean.images import ImageLike
from sean.parsing.faces.crop import DEFAULT_FEATHER
from sean.parsing.photo import CropChoice, OnNoFace, ParserChoice, Photo, PhotoOpener
from sean.parsing.segmenter import Segmenter
from sean.photo_output import save_photo
from sean.pretrained import DEFAULT_MODEL
from sean.segmap import SegmapLike, resize_segmap, segmap_of

Points = Iterable[Sequence[float]]
Regions = str | int | Iterable[str | int]
StyleLike = ImageLike | StyleCodes

_WIDEST_MARGIN = 0.1


class Editor:
    """A session of editing.

    Args:
        pipeline: the model, which any number of editors may share.
        parser: makes the label maps of photos without one: a segmenter with the model's labels, its name (see
            `sean.Segmenter.from_pretrained`), "auto" (the bundled parser if the labels are those of faces, loaded when
            needed), or None.

    Raises:
        InputError: the parser has other labels.
    """

    def __init__(self, pipeline: SEANPipeline, *, parser: ParserChoice = AUTO) -> None:
        labels, size = pipeline.labels, pipeline.image_size
        is_auto = isinstance(parser, str) and parser == AUTO
        self.photos = pipeline.photos if is_auto else PhotoOpener(labels, size, device=pipeline.device, parser=parser)
        self.pipeline = pipeline.fork()
        self._sources = Sources(
            labels,
            pipeline.model.code_dim,
            pipeline.style_bank,
            self._bank_colours,
            keeps_colours=getattr(pipeline.model.config, "mean_color", False),
        )
        self._photo: Photo | None = None
        self._photo_segmap: np.ndarray | None = None
        self._base: Base | None = None
        self._history: History | None = None
        self._rendered: tuple[EditorState, int | None, Image.Image] | None = None
        self._composites: dict[int | None, PhotoComposite] = {}  # by the longer side of a smaller photo

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] = DEFAULT_MODEL,
        device: str | torch.device = AUTO,
        dtype: torch.dtype | str | None = None,
        revision: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        *,
        parser: ParserChoice = AUTO,
    ) -> "Editor":
        """An editor for a model by its name; see `SEANPipeline.from_pretrained` for arguments and errors."""
        return cls(SEANPipeline.from_pretrained(name, device, dtype, revision, cache_dir), parser=parser)

    @property
    def parser(self) -> Segmenter | None:
        """The segmenter that makes label maps of photos; None if there is no parser."""
        return self.photos.parser

    # --- photo, map and styles ---

    def set_image(
        self,
        image: ImageLike | Photo,
        segmap: SegmapLike | None = None,
        crop: CropChoice = "auto",
        face: int = 0,
        *,
        on_no_face: OnNoFace = "error",
    ) -> None:
        """Begin a new session with a photo; style photos are kept.

        Args:
            image: the path of a file, a PIL picture (turned upright by its EXIF orientation and converted to sRGB by
                its ICC profile), uint8 [h, w, 3] or a tensor [3, h, w], uint8 or float in [-1, 1], of any size; or a
                `Photo` with a crop (see `photos`).
            segmap: label ids of the whole photo: the path of a file, a PIL picture or integers [h, w], with the aspect
                ratio of the photo in any size, or of the model's size; None lets the parser make the map.
            crop: the part that the model sees. "auto" is the square around a face if the labels are those of faces and
                no label map is given, else the whole photo, stretched to the model's size. (left, top, size) in pixels,
                (left, top, size, angle) with degrees clockwise, or a `Crop` gives the square; "none" or None takes the
                whole photo.
            face: index of the face for "auto", ordered by size: 0 is the largest. `photo.faces` lists all faces.
            on_no_face: action of "auto" if it finds no face: "error", or "whole" for the square around the photo.

        Raises:
            InputError: not a picture, a map with other labels or of another shape, no face, no face of that index,
                neither map nor parser, or scikit-image is missing. The session is then unchanged.
        """
        photo, ids = self.photos.open(image, segmap, crop=crop, face=face, on_no_face=on_no_face)
        self._sources.own = self.pipeline.encode_seen(photo.seen(self.pipeline.image_size), ids)
        self._photo, self._photo_segmap = photo, ids
        self._composites.clear()
        self._begin(new_state(ids))

    def set_segmap(self, segmap: SegmapLike) -> None:
        """Begin a new session on another map. Photo and styles are kept, except styles of instances.

        Without a photo, the own styles are the mean of the model's bank (see `set_own_styles`).

        Args:
            segmap: label ids of the part that the model sees (the crop, if there is one): the path of a file, a PIL
                picture or integers [h, w]; resized to the model's size.

        Raises:
            InputError: not a map with these labels.
        """
        ids = segmap_of(segmap, self.pipeline.labels)
        set_so_far = {} if self._history is None else self._history.state.styles
        styles = {key: blocks for key, blocks in set_so_far.items() if not key[1]}
        self._begin(new_state(resize_segmap(ids, self.pipeline.image_size), styles=styles))

    def set_own_styles(self, styles: StyleCodes) -> None:
        """Set the "own" styles of a session without a photo. The session restarts on its map, with no styles set.

        Raises:
            InputError: styles of another model, or the session has a photo, which defines the own styles.
        """
        if self._photo is not None:
            raise InputError("expected no own styles for a session with a photo; add_styles and set_style give it some")
        self._sources.own = styles
        if self._history is not None:  # styles of regions may refer to own styles that no longer exist
            self._begin(new_state(self._history.state.segmap))

    def add_style_photo(
        self,
        name: str,
        image: ImageLike | Photo,
        segmap: SegmapLike | None = None,
        crop: CropChoice = "auto",
        face: int = 0,
        *,
        on_no_face: OnNoFace = "error",
    ) -> str:
        """Encode a photo as a source of styles for edits.

        Args:
            name: a name that is new in this editor.
            image, segmap, crop, face, on_no_face: see `set_image`.

        Returns:
            The source for `set_style`, "photo:NAME".

        Raises:
            InputError: see `set_image`, or the name exists.
        """
        photo, ids = self.photos.open(image, segmap, crop=crop, face=face, on_no_face=on_no_face)
        return self.add_styles(name, self.pipeline.encode_seen(photo.seen(self.pipeline.image_size), ids))

    def add_styles(self, name: str, styles: StyleCodes) -> str:
        """Add styles as a style photo; see `add_style_photo`."""
        return self._sources.add(name, styles)

    def new_name(self, name: str) -> str:
        """A free name for a style photo: `name`, followed by a number if needed."""
        stem = "".join(character if character.isprintable() else "_" for character in name)[: MAX_NAME - 10] or "style"
        names = [stem, *(f"{stem} {number}" for number in range(2, len(self._sources.photos) + 2))]
        return next(name for name in names if name not in self._sources.photos)

    def branch(self) -> "Editor":
        """Another editor of the same picture in its present state, with the same style photos and no history.

        A picture opened in the branch does not change this editor, so that opening can be undone.
        """
        other = type(self)(self.pipeline, parser=None)
        other.photos = self.photos
        other._sources.own = self._sources.own
        for name, styles in self._sources.photos.items():
            other.add_styles(name, styles)
        other._photo, other._photo_segmap = self._photo, self._photo_segmap
        if self._history is not None:
            other._begin(self._history.state)
        return other

    # --- edits ---

    def paint(
        self, points: Points, radius: float, label: str | int, *, keep: Iterable[str | int] | None = None
    ) -> None:
        """See `sean.editing.edits.Paint`."""
        kept = None if keep is None else _listed(keep)
        self.apply(new_edit(Paint, points=list(points), radius=radius, label=label, keep=kept))

    def erase(self, points: Points, radius: float) -> None:
        """See `sean.editing.edits.Erase`."""
        self.apply(new_edit(Erase, points=list(points), radius=radius))

    def fill(self, point: Sequence[float], label: str | int) -> None:
        """See `sean.editing.edits.Fill`."""
        self.apply(new_edit(Fill, point=point, label=label))

    def polygon(self, points: Points, label: str | int, *, keep: Iterable[str | int] | None = None) -> None:
        """See `sean.editing.edits.Polygon`."""
        kept = None if keep is None else _listed(keep)
        self.apply(new_edit(Polygon, points=list(points), label=label, keep=kept))

    def replace_label(self, old: str | int, new: str | int) -> None:
        """See `sean.editing.edits.ReplaceLabel`."""
        self.apply(ReplaceLabel(old=old, new=new))

    def reset_segmap(self) -> None:
        """See `sean.editing.edits.ResetSegmap`."""
        self.apply(ResetSegmap())

    def split_region(self, point: Sequence[float]) -> int:
        """See `sean.editing.edits.SplitRegion`; returns the number of the new instance."""
        return int(self.apply(new_edit(SplitRegion, point=point)).instances.max())

    def set_style(
        self,
        regions: Regions | StyleLike | None,
        style: StyleLike | Regions | None = None,
        *,
        strength: float = 1.0,
        blocks: Iterable[int] | None = None,
        instance: int | None = None,
    ) -> None:
        """Set the style of regions.

        The older order of arguments, `set_style(source, regions)`, works too.

        Args:
            regions: one or several labels, by name or id, or groups such as "face", "lips", "eyes" and "brows" (see
                `LabelSet.groups`); labels of a group without a style in the source do not change. None, as in
                `set_style(style)`, means all regions of the style.
            style: "own" (the picture's own), "mean" (of the model's bank), "bank:N" or "bank:NAME", "region:NAME" (the
                picture's own style of another region), "photo:NAME" (of a style photo of this editor), a colour such
                as "#a0522d" (with the rest of the bank style whose colour is nearest), StyleCodes, the path of a style
                file (.safetensors), or a photo in any form that `set_image` takes, whose largest face is encoded.
            strength, blocks, instance: see `sean.editing.edits.SetStyle`.

        Raises:
            InputError: the region or style does not exist, the style lacks the region, or see `set_image`.
        """
        if style is None:
            regions, style = None, regions
        elif is_source(regions) and not (isinstance(regions, str) and regions in self.pipeline.labels.names):
            regions, style = style, regions
        values: dict[str, Any] = {"source": self._source_of(style), "strength": strength, "instance": instance}
        if regions is not None:
            values["regions"] = _listed(regions)
        if blocks is not None:
            values["blocks"] = tuple(blocks)
        self.apply(new_edit(SetStyle, **values))

    def _source_of(self, style: Any) -> str:
        """The source string of a style for `set_style`; styles and photos become style photos of this editor."""
        if isinstance(style, str) and is_source(style):
            return style
        if isinstance(style, StyleCodes):
            known = (name for name, other in self._sources.photos.items() if other == style)
            name = next(known, None)
            return self.add_styles(self.new_name(style.name or "style"), style) if name is None else f"photo:{name}"
        if isinstance(style, str | os.PathLike):
            path = Path(style)
            if path.suffix == ".safetensors":
                return self._source_of(StyleCodes.load(path))
            if not path.suffix and not path.exists():
                raise InputError(f"there is no style {str(style)!r}; expected {SOURCE_FORMS}, or the path of a photo")
            return self.add_style_photo(self.new_name(path.stem), path)
        return self.add_style_photo(self.new_name("photo"), style)

    # --- history ---

    def apply(self, edit: Edit) -> EditorState:
        """Apply an edit. Undone edits can then no longer be redone.

        Returns:
            The new state.

        Raises:
            InputError: the edit cannot be applied (see `sean.editing.state.applied`); nothing has changed then.
        """
        return self._begun_history.push(edit)

    def after(self, edit: Edit) -> EditorState:
        """The state after an edit, without applying the edit: for a preview."""
        return applied(self.state, edit, self._begun)

    def replay(self, edits: Iterable[Edit]) -> None:
        """Apply edits in order.

        Raises:
            InputError: an edit cannot be applied; the message gives its number, from 1. Earlier edits stay applied.
        """
        for number, edit in enumerate(edits, start=1):
            try:
                self.apply(edit)
            except InputError as error:
                raise InputError(f"edit {number}: {error}") from None

    def undo(self) -> bool:
        """Undo the last edit; False if there is no edit."""
        return self._history is not None and self._history.undo()

    def redo(self) -> bool:
        """Redo the edit that was undone last; False if there is no such edit."""
        return self._history is not None and self._history.redo()

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to undo."""
        return self._history is not None and self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to redo."""
        return self._history is not None and self._history.can_redo

    @property
    def edits(self) -> Iterator[Edit]:
        """The applied edits, `num_edits` in number."""
        return iter(()) if self._history is None else self._history.done()

    @property
    def undone(self) -> Iterator[Edit]:
        """The edits that `redo` would apply, in that order."""
        return iter(()) if self._history is None else self._history.undone()

    @property
    def num_edits(self) -> int:
        """Number of applied edits."""
        return 0 if self._history is None else self._history.position

    # --- the present state ---

    @property
    def begun(self) -> bool:
        """Whether there is a picture or a map to edit."""
        return self._history is not None

    @property
    def state(self) -> EditorState:
        """The present map, instances and styles."""
        return self._begun_history.state

    @property
    def regions(self) -> list[Region]:
        """The regions of the map and their styles."""
        return self._begun.regions(self.state)

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """The sources for `set_style` (besides "region:NAME" and colours), with their regions."""
        return self._sources.names()

    @property
    def styles(self) -> StyleCodes:
        """The picture's own styles; without a photo, the mean of the model's bank."""
        return self._sources.own

    @property
    def photo(self) -> Photo | None:
        """The photo, its crop and the faces found in it; None in a session without a photo."""
        return self._photo

    @property
    def original(self) -> np.ndarray | None:
        """The part of the photo that the model sees: uint8 [h, w, 3] of the model's size."""
        return None if self._photo is None else self._photo.seen(self.pipeline.image_size)

    def photo_at(self, max_side: int) -> Photo:
        """The photo reduced so that its longer side has at most `max_side` pixels; cached.

        Raises:
            InputError: the session has no photo.
        """
        return self._composite_at(max_side).photo

    def forget_rendered(self) -> None:
        """Free the memory that accelerates the next picture, for a session that is idle."""
        self.pipeline = self.pipeline.fork()
        self._rendered = None
        self._composites.clear()

    def memory(self) -> Iterator[Any]:
        """The arrays, tensors, pictures and bytes that this session holds beside the model, for counting its memory."""
        if self._photo is not None:
            yield from self._photo.memory()
        if self._photo_segmap is not None:
            yield self._photo_segmap
        if self._history is not None:
            yield from self._history.memory()
        if self._rendered is not None:
            yield self._rendered[2]
        yield from self._sources.memory()
        yield from self.pipeline.memory()
        for composite in self._composites.values():
            yield from composite.memory()

    @property
    def touched(self) -> np.ndarray:
        """bool [h, w] of the model's size: the pixels whose label, instance or style has been changed."""
        return self._touched_in(self.state)

    def _touched_in(self, state: EditorState) -> np.ndarray:
        base = self._begun
        original = base.state.segmap if self._photo_segmap is None else self._photo_segmap
        return touched_pixels(state, original, base)

    # --- pictures ---

    def render(self, state: EditorState | None = None, *, seed: int | None = None, quick: bool = False) -> Image.Image:
        """The picture of a state, of the model's size.

        Args:
            state: a state from `after`; by default the present state.
            seed: seed of the learned noise; None renders without noise.
            quick: reuse the plan of the last quick picture, as while a brush is moving. Some pixels may then differ
                from the exact picture by one level of 255. Otherwise the picture depends on the state only.
        """
        state, base = self.state if state is None else state, self._begun
        if self._rendered is not None and self._rendered[:2] == (state, seed):
            return self._rendered[2].copy()
        styles = render_styles(state, base)
        pipeline = self.pipeline if quick else self.pipeline.fork()
        per_variant = styles.variants if styles.numbers is not None else styles.variants[0]
        picture = pipeline(state.segmap, per_variant, variants=styles.numbers, seed=seed)
        if not quick:
            self._rendered = (state, seed, picture.copy())
        return picture

    def composite(
        self,
        *,
        blend: Blend = "detail",
        margin: float = SEAM_MARGIN,
        feather: float = DEFAULT_FEATHER,
        seed: int | None = None,
        keep_original: bool | None = None,
    ) -> Image.Image:
        """The whole photo with the edits in it, upright, in sRGB; see also `save_composite`.

        Args:
            blend: "detail" keeps the photo's detail: regions with another style are recoloured at the photo's
                resolution, also beyond the crop, and changed parts of the map are redrawn from the model's picture in
                the photo's colours and grain. "paste" replaces changed parts by the model's picture. Both keep the rest
                of the photo bit for bit. "render" replaces the whole crop by the model's picture.
            margin: for "paste": distance over which the model's picture fades out beyond the replaced parts, as a
                fraction of the model's height in [0, 0.1]. With 0 there is no transition.
            feather: for "paste" and "render": width of the transition at the borders of the crop, as a fraction of the
                crop's size.
            seed: see `render`.
            keep_original: the earlier form of `blend`: True for "detail", False for "render".

        Raises:
            InputError: the session has no photo, or an argument is out of range.
        """
        blend = _blend(blend, keep_original)
        return Image.fromarray(self.composited(blend=blend, margin=margin, feather=feather, seed=seed))

    def composited(
        self,
        state: EditorState | None = None,
        *,
        blend: Blend = "detail",
        margin: float = SEAM_MARGIN,
        feather: float = DEFAULT_FEATHER,
        seed: int | None = None,
        quick: bool = False,
        max_side: int | None = None,
    ) -> np.ndarray:
        """`composite` as uint8 [h, w, 3], which takes less memory.

        Args:
            state: see `render`.
            blend, margin, feather, seed: see `composite`.
            quick: see `render`.
            max_side: size of a reduced photo to use (see `photo_at`).
        """
        state = self.state if state is None else state
        composite = self._composite_at(max_side)
        if blend not in BLENDS:
            raise InputError(f"expected a blend of {', '.join(BLENDS)}, got {blend!r}")
        if not 0 <= margin <= _WIDEST_MARGIN:
            raise InputError(f"expected a margin in [0, {_WIDEST_MARGIN}], got {margin}")

        def rendered() -> np.ndarray:
            return np.asarray(self.render(state, seed=seed, quick=quick))

        if blend == "detail":
            return composite.with_edits(state, self._begun, rendered, quick=quick)
        # One pixel more: the first pixel beyond the touched area is at a distance of 1.
        reach = margin * self.pipeline.image_size[0] + 1
        weights = faded(self._touched_in(state), reach) if blend == "paste" else None
        return composite.photo.with_edit(rendered(), weights, feather)

    def save_composite(
        self,
        path: str | os.PathLike[str],
        *,
        blend: Blend = "detail",
        margin: float = SEAM_MARGIN,
        feather: float = DEFAULT_FEATHER,
        seed: int | None = None,
        keep_original: bool | None = None,
    ) -> None:
        """Write the whole photo with the edits in it, with the ICC profile, transparency and EXIF data of its file.

        Args:
            path: path of the file; its suffix determines the format. Metadata that the format does not support is left
                out (`sean.photo_output`).
            blend, margin, feather, seed, keep_original: see `composite`.

        Raises:
            InputError: see `composite`, or the file cannot be written.
        """
        edited = self.composited(blend=_blend(blend, keep_original), margin=margin, feather=feather, seed=seed)
        save_photo(path, edited, None if self._photo is None else self._photo.source)

    def _composite_at(self, max_side: int | None) -> PhotoComposite:
        """The composites of the photo or of the reduced photo."""
        photo, segmap = self._photo, self._photo_segmap
        if photo is None or segmap is None:
            raise InputError("expected a session with a photo to put the edits into; begin it with set_image")
        if max_side not in self._composites:

            def own() -> np.ndarray:
                return np.asarray(self.pipeline.fork()(segmap, self._sources.complete_own))

            smaller = photo if max_side is None else photo.smaller(max_side)
            self._composites[max_side] = PhotoComposite(smaller, segmap, own, lambda: self.photos.parser)
        return self._composites[max_side]

    # --- projects ---

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the session as a project (see `sean.editing.project`): a folder, or a zip file if `path` ends in .zip.

        Raises:
            InputError: the path cannot be written or holds something else.
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
        parser: ParserChoice = AUTO,
        limits: ProjectLimits | None = None,
    ) -> "Editor":
        """Load a saved session: the same picture, and the same edits to undo and redo.

        Args:
            path: a project written by `save`.
            pipeline: pipeline of the session's model.
            parser: see `Editor`.
            limits: limits on the size of untrusted projects.

        Raises:
            InputError: the project is missing or damaged, or belongs to another model.
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

    def _begin(self, state: EditorState) -> None:
        if self._history is not None:
            self._history.close()
        self._sources.forget_colours()
        self._base = Base(state=state, sources=self._sources, num_blocks=self.pipeline.model.style_inputs)
        self._history = History(state, partial(applied, base=self._base))

    def _bank_colours(self) -> Tensor:
        """The mean colours [n, k, 3] of the bank's styles; unknown colours are measured in renders of the first map."""
        segmap = self._begun.state.segmap.astype(np.int64)
        pipeline, colours = self.pipeline.fork(), []
        for style in pipeline.style_bank:
            known = style.mean_colours
            if known is None:
                picture = np.asarray(pipeline(segmap, style))
                known = mean_colours(picture, segmap, pipeline.labels.num_regions)
            colours.append(known)
        return torch.stack(colours)

    @property
    def _begun_history(self) -> History:
        if self._history is None:
            raise InputError("expected a picture or a map to edit; begin with set_image or set_segmap")
        return self._history

    @property
    def _begun(self) -> Base:
        if self._base is None:
            raise InputError("expected a picture or a map to edit; begin with set_image or set_segmap")
        return self._base


def _listed(regions: Any) -> tuple[Any, ...]:
    if isinstance(regions, str | int | np.integer):
        return (regions,)
    if not isinstance(regions, Iterable):
        raise InputError(f"expected regions as names or ids of labels, got {type(regions).__name__}")
    return tuple(regions)


def _blend(blend: Blend, keep_original: bool | None) -> Blend:
    """The blend that a caller means who may use the earlier argument."""
    if keep_original is None:
        return blend
    warnings.warn('keep_original is blend="detail" or blend="render" now', DeprecationWarning, stacklevel=3)
    return "detail" if keep_original else "render"
