"""The JSON of the server as pydantic models: all answers, and the requests that are objects."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

BlockStyle = tuple[str, float]
"""Where a ResBlk's style comes from, and how strongly it is mixed in."""


class Detail(BaseModel):
    """An error."""

    detail: Annotated[str, Field(description="one plain line")]


class Health(BaseModel):
    """How the server is."""

    status: str
    sessions: int
    queued: Annotated[int, Field(description="pieces of work that wait for the model")]


class LabelInfo(BaseModel):
    """A label of the model."""

    id: int
    name: str
    color: Annotated[str, Field(description="#rrggbb")]


class LimitsInfo(BaseModel):
    """What the server allows."""

    upload_bytes: int
    picture_pixels: int
    style_photos: int
    message_bytes: int


class ModelInfo(BaseModel):
    """The model that pictures are made with."""

    name: str
    labels: list[LabelInfo]
    size: Annotated[tuple[int, int], Field(description="height and width of its pictures")]
    blocks: Annotated[int, Field(description="ResBlks that take a style each")]
    bank: Annotated[int, Field(description="styles in its bank")]
    faces: Annotated[bool, Field(description="whether faces can be drawn for it")]
    samples: Annotated[list[str], Field(description="sample photos, by the names of their files")]
    parses: Annotated[bool, Field(description="whether photos may come without a label map")]
    limits: LimitsInfo


class Region(BaseModel):
    """A region of the map, and its style."""

    label: str
    instance: Annotated[int, Field(description="0 for the pixels of the label outside its instances")]
    area: Annotated[float, Field(description="fraction of the map")]
    at: Annotated[tuple[float, float] | None, Field(description="a point in it, of an instance: fractions x and y")]
    styles: Annotated[list[BlockStyle], Field(description="[source, strength] of each ResBlk")]


class Source(BaseModel):
    """Where styles can be taken from."""

    source: str
    regions: Annotated[list[str], Field(description="labels that it has a style of")]
    step: Annotated[str, Field(description="name that the page gave to its upload; empty if none")] = ""


class Square(BaseModel):
    """A square part of a photo, in pixels of the photo, turned around its middle; it may reach over the borders."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    left: float
    top: float
    size: Annotated[float, Field(gt=0)]
    angle: Annotated[float, Field(ge=-180, le=180, description="degrees, clockwise")] = 0.0


class PhotoInfo(BaseModel):
    """The photo that is edited."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(description="of its file; empty where that is not known")]
    width: int
    height: int
    crop: Annotated[Square | None, Field(description="the part that the model sees; null: all, stretched")]
    faces: Annotated[list[Square] | None, Field(description="faces found, the largest first; null: not looked for")]


class State(BaseModel):
    """What a session shows."""

    model_config = ConfigDict(frozen=True)

    id: str
    version: Annotated[int, Field(description="counts every change")]
    document: Annotated[int, Field(description="number of the picture that is edited; opening one counts on")]
    step: Annotated[str, Field(description="name that the page gave to the request that opened it; empty if none")] = ""
    photo: PhotoInfo | None
    regions: list[Region]
    sources: list[Source]
    can_undo: bool
    can_redo: bool
    edits: Annotated[int, Field(description="done since the picture was opened")]


class Script(BaseModel):
    """The edits of the picture as an edit script, the file that the command line replays."""

    done: list[dict[str, Any]]
    undone: Annotated[list[dict[str, Any]], Field(description="that redo would do, in this order")]


class NewSession(BaseModel):
    """How a session begins, or a drawn picture."""

    model_config = ConfigDict(extra="forbid")

    bank: Annotated[int | None, Field(ge=0, description="number of the bank's style")] = None
