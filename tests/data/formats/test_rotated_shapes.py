"""Shapes that a tool turns around their centre are painted turned, to within a pixel of their edges."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sean.data.folder import PairedFolder
from sean.data.formats.conversion import convert
from sean.data.formats.polygons import box_ring, rotated_ring

from .miniatures import HEIGHT, WIDTH, save, write

pytest.importorskip("pycocotools")

LEFT, TOP, RIGHT, BOTTOM = 12.5, 14.25, 40.0, 23.75
CENTER = np.array([(LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2])
RADII = np.array([(RIGHT - LEFT) / 2, (BOTTOM - TOP) / 2])
DEGREES = 30.0


def distances(degrees: float = DEGREES) -> np.ndarray:
    """How far the middle of every pixel lies inside of the box that is turned clockwise, [h, w]; outside below 0."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    x, y = columns - CENTER[0], rows - CENTER[1]
    angle = np.radians(degrees)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    found: np.ndarray = np.minimum(RADII[0] - abs(along), RADII[1] - abs(across))
    return found


def painted(root: Path) -> np.ndarray:
    """The pixels of the one shape of a converted tree."""
    assert convert(root / "source", root / "pairs", workers=1).ok
    folder = PairedFolder.open(root / "pairs")
    area: np.ndarray = folder.pairs(folder.stems).read(0).segmap == folder.labels.id_of("car")
    return area


def picture(root: Path, name: str) -> None:
    """The picture of a tree."""
    save(root / "source" / name, np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8))


def is_turned_box(area: np.ndarray, degrees: float = DEGREES) -> bool:
    """Whether an area is the turned box, to within a pixel."""
    inside = distances(degrees)
    return bool(area[inside > 1].all() and not area[inside < -1].any())


def cvat(root: Path, shape: str) -> None:
    """CVAT's XML with one shape."""
    picture(root, "images/p.png")
    labels = "<meta><task><labels><label><name>car</name></label></labels></task></meta>"
    image = f'<image id="0" name="p.png" width="{WIDTH}" height="{HEIGHT}">{shape}</image>'
    write(root / "source" / "annotations.xml", f"<annotations><version>1.1</version>{labels}{image}</annotations>")


def labelme(root: Path, **shape: Any) -> None:
    """LabelMe's JSON with one shape."""
    picture(root, "p.png")
    content = {"shapes": [{"label": "car", "group_id": None, **shape}], "imagePath": "p.png"}
    write(root / "source" / "p.json", json.dumps(content))


def test_a_turned_ring_by_hand() -> None:
    ring = rotated_ring(box_ring(2, 4, 8, 6), np.pi / 2)
    assert np.allclose(ring, [(6, 2), (6, 8), (4, 8), (4, 2)]), "upper left goes to the upper right"
    assert rotated_ring(box_ring(0.1, 0.2, 0.7, 0.9), 0.0) == box_ring(0.1, 0.2, 0.7, 0.9), "no rounding"


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0, 333.5])
def test_a_box_of_cvat(degrees: float, tmp_path: Path) -> None:
    cvat(tmp_path, f'<box label="car" xtl="{LEFT}" ytl="{TOP}" xbr="{RIGHT}" ybr="{BOTTOM}" rotation="{degrees:.2f}"/>')
    area = painted(tmp_path)
    assert is_turned_box(area, degrees) and not is_turned_box(area, degrees + 60)


def test_an_ellipse_of_cvat(tmp_path: Path) -> None:
    (x, y), (radius_x, radius_y) = CENTER, RADII
    values = {"cx": x, "cy": y, "rx": radius_x, "ry": radius_y, "rotation": DEGREES}
    cvat(tmp_path, '<ellipse label="car" ' + " ".join(f'{key}="{value:.4f}"' for key, value in values.items()) + "/>")
    area = painted(tmp_path)
    assert not area[distances() < -1].any() and abs(int(area.sum()) - np.pi * radius_x * radius_y) < 8
    rows, columns = np.nonzero(area)
    along = np.linalg.eigh(np.cov(columns, rows)).eigenvectors[:, 1]
    assert np.degrees(np.arctan2(along[1], along[0])) % 180 == pytest.approx(DEGREES, abs=2)


def corners() -> list[list[float]]:
    """The corners of the turned box."""
    angle = np.radians(DEGREES)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points: list[list[float]] = (CENTER + np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * RADII @ axes).tolist()
    return points


@pytest.mark.parametrize("kind", ["oriented_rectangle", "rotation"])
def test_a_rotated_rectangle_of_labelme(kind: str, tmp_path: Path) -> None:
    labelme(tmp_path, shape_type=kind, points=corners(), direction=np.radians(DEGREES))
    assert is_turned_box(painted(tmp_path))


def test_a_rectangle_by_its_four_corners(tmp_path: Path) -> None:
    labelme(tmp_path, shape_type="rectangle", points=[list(point) for point in box_ring(LEFT, TOP, RIGHT, BOTTOM)])
    assert is_turned_box(painted(tmp_path), 0.0)


def test_an_oriented_box_of_supervisely(tmp_path: Path) -> None:
    picture(tmp_path, "train/img/p.png")
    write(tmp_path / "source" / "meta.json", {"classes": [{"title": "car", "color": "#00008E"}]})
    box = {"classTitle": "car", "geometryType": "oriented_bbox", "angle": np.radians(DEGREES)}
    content = {
        "size": {"height": HEIGHT, "width": WIDTH},
        "objects": [{**box, "points": [[LEFT, TOP], [RIGHT, BOTTOM]]}],
    }
    write(tmp_path / "source" / "train" / "ann" / "p.png.json", content)
    assert is_turned_box(painted(tmp_path))


def test_an_oriented_box_of_yolo(tmp_path: Path) -> None:
    picture(tmp_path, "images/p.png")
    write(tmp_path / "source" / "data.yaml", "names: [car]\n")
    flat = (np.array(corners()) / (WIDTH, HEIGHT)).ravel()
    write(tmp_path / "source" / "labels" / "p.txt", "0 " + " ".join(f"{value:.6f}" for value in flat) + "\n")
    assert is_turned_box(painted(tmp_path))
