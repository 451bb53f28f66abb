"""The drawings of the concepts: SVG made from a drawn face's label map and from its real patch plan."""

from itertools import groupby

import numpy as np
import torch

from sean.data.faces.drawing import FaceShape, draw_face
from sean.labels import CELEBAMASK_HQ
from sean.plan.planner import plan_segmap

INK = "#7d7d8a"
LABELS = CELEBAMASK_HQ


def drawings() -> dict[str, str]:
    """All drawings by name."""
    segmap = draw_face(FaceShape(hair_length=0.6), (48, 48))
    return {"style-matrix": style_matrix(segmap), "patches": patches(segmap), "rows": rows(segmap)}


def color_of(label: int) -> str:
    """The colour of a label in the drawings, as hex."""
    return "#{:02x}{:02x}{:02x}".format(*LABELS.colors[label])


def svg(width: int, height: int, *parts: str) -> str:
    """A drawing of these parts."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    arrow = (
        f'<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{INK}"/></marker></defs>'
    )
    return "\n".join([head, arrow, *parts, "</svg>"])


def rect(x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> str:
    """A rectangle."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}" stroke="{stroke}" '
        f'shape-rendering="crispEdges"/>'
    )


def words(x: float, y: float, text: str, size: int = 12, anchor: str = "middle") -> str:
    """A line of text."""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{INK}" text-anchor="{anchor}">{text}</text>'


def arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    """An arrow."""
    line = f"M{x:g} {y:g}L{to_x:g} {to_y:g}"
    return f'<path d="{line}" stroke="{INK}" stroke-width="1.5" fill="none" marker-end="url(#tip)"/>'


def label_map(segmap: np.ndarray, x: float, y: float, pixel: float) -> str:
    """A label map, a rectangle for each run of equal labels in a row."""
    parts = []
    for row, labels in enumerate(segmap):
        column = 0
        for label, run in groupby(labels.tolist()):
            length = len(list(run))
            parts.append(rect(x + column * pixel, y + row * pixel, length * pixel, pixel, color_of(label)))
            column += length
    return "\n".join(parts)


def code_row(x: float, y: float, label: int, cells: int, seed: int) -> str:
    """A row of numbers, drawn as cells between pale and the label's colour."""
    strengths = np.random.default_rng([seed, label]).uniform(0.15, 1.0, cells)
    return "\n".join(
        f'<rect x="{x + 12 * i:g}" y="{y:g}" width="11" height="13" fill="{color_of(label)}" '
        f'fill-opacity="{strength:.2f}" stroke="{INK}" stroke-width="0.4"/>'
        for i, strength in enumerate(strengths)
    )


def style_matrix(segmap: np.ndarray) -> str:
    """Photo and label map -> one code for each region -> a map that carries the codes -> scale and shift."""
    chosen = [name for name in ("background", "skin", "hair", "neck", "u_lip") if (segmap == LABELS.id_of(name)).any()]
    parts = [label_map(segmap, 30, 30, 3), words(102, 196, "label map, and"), words(102, 212, "features of the photo")]
    parts += [arrow(182, 102, 256, 102), words(219, 92, "mean of"), words(219, 120, "each region")]
    for row, name in enumerate(chosen):
        y = 46 + 24 * row
        parts += [words(336, y + 11, name, 11, "end"), code_row(342, y, LABELS.id_of(name), 8, 0)]
    parts += [words(370, 196, "style codes,"), words(370, 212, "a row for each region")]
    parts += [arrow(446, 102, 500, 102), words(473, 92, "spread"), label_map(segmap, 510, 30, 3)]
    parts += [words(582, 196, "every pixel has"), words(582, 212, "its region's code")]
    parts += [arrow(662, 102, 730, 102), words(696, 92, "3 x 3"), words(696, 120, "convolution")]
    for index, (name, shade) in enumerate((("scale γ", 0.9), ("shift β", 0.5))):
        parts.append(f'<g opacity="{shade}">{label_map(segmap, 742, 24 + 84 * index, 1.6)}</g>')
        parts.append(words(826, 66 + 84 * index, name, 12, "start"))
    return svg(880, 224, *parts)


def patches(segmap: np.ndarray) -> str:
    """Three pixels, their 3 x 3 patches of labels, and how many distinct ones a map has."""
    large = draw_face(FaceShape(hair_length=0.6), (256, 256))
    plan = plan_segmap(torch.from_numpy(large)[None]).levels[-1]
    assert plan.mask_patches is not None
    pixel, left = 5, 20
    parts = [label_map(segmap, left, 20, pixel)]
    edge = np.argwhere(segmap[1:-1, 1:-2] != segmap[1:-1, 2:-1])
    spots = [(6, 6), (3, 40), *(tuple(map(int, edge[index] + 1)) for index in (len(edge) // 3, len(edge) // 2))]
    for number, (row, column) in enumerate(spots):
        x, y = left + (column - 1) * pixel, 20 + (row - 1) * pixel
        parts.append(rect(x, y, 3 * pixel, 3 * pixel, "none", "#ffffff"))
        parts.append(rect(x - 1, y - 1, 3 * pixel + 2, 3 * pixel + 2, "none", "#000000"))
        top = 24 + 60 * number
        parts.append(label_map(segmap[row - 1 : row + 2, column - 1 : column + 2], 330, top, 14))
        parts.append(arrow(x + 3 * pixel + 4, y + pixel, 324, top + 21))
    parts += [
        words(392, 82, "the same patch: evaluated once", 12, "start"),
        words(392, 210, "patches at an outline", 12, "start"),
    ]
    count = f"{len(plan.label_patches):,} distinct 3 x 3 patches, {len(plan.mask_patches):,} distinct 5 x 5 patches"
    parts.append(words(20, 285, f"This face at 256 x 256: 65,536 pixels, {count}.", 13, "start"))
    return svg(640, 296, *parts)


def rows(segmap: np.ndarray) -> str:
    """A 3 x 3 convolution of a map of codes as a sum of nine rows of a table."""
    edge = np.argwhere(segmap[1:-1, 1:-2] != segmap[1:-1, 2:-1]) + 1
    row, column = map(int, edge[len(edge) // 2])
    patch = segmap[row - 1 : row + 2, column - 1 : column + 2]
    parts = [label_map(patch, 20, 40, 40), words(80, 185, "the labels around a pixel")]
    for tap in range(9):
        y, label = 20 + 18 * tap, int(patch.flat[tap])
        parts.append(words(218, y + 11, f"T[{tap}, {LABELS.names[label]}]", 11, "start"))
        parts.append(code_row(320, y, label, 10, tap))
    parts += [
        arrow(146, 100, 210, 100),
        words(178, 92, "nine rows", 10),
        arrow(448, 100, 500, 100),
        words(474, 92, "sum", 10),
    ]
    parts += [code_row(508, 93, int(patch[1, 1]), 10, 99), words(568, 130, "γ and β of the pixel")]
    return svg(660, 200, *parts)
