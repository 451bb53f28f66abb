"""The methods of an editor: each applies the edit that it is named after."""

from collections.abc import Callable

import numpy as np
import pytest

from sean.editing.edits import Edit, Erase, Fill, Paint, Polygon, ReplaceLabel, ResetSegmap, SetStyle, SplitRegion
from sean.editing.state import EditorState, new_state
from sean.editing.tools import Tools

LINE = [(0.1, 0.2), (0.3, 0.4)]
TRIANGLE = ((0.1, 0.1), (0.5, 0.1), (0.1, 0.5))


class Recorder(Tools):
    def __init__(self) -> None:
        self.edits: list[Edit] = []

    def apply(self, edit: Edit) -> EditorState:
        self.edits.append(edit)
        return new_state(np.zeros((2, 2), np.int64), np.array([[0, 0], [3, 7]]))


@pytest.mark.parametrize(
    ("use", "edit"),
    [
        (lambda tools: tools.paint(iter(LINE), 1.0, "hair"), Paint(points=tuple(LINE), radius=1.0, label="hair")),
        (lambda tools: tools.erase(iter(LINE), 0.1), Erase(points=tuple(LINE), radius=0.1)),
        (lambda tools: tools.fill([0.5, 1.0], 3), Fill(point=(0.5, 1.0), label=3)),
        (lambda tools: tools.polygon(TRIANGLE, "hat"), Polygon(points=TRIANGLE, label="hat")),
        (lambda tools: tools.replace_label("hair", 4), ReplaceLabel(old="hair", new=4)),
        (lambda tools: tools.reset_segmap(), ResetSegmap()),
        (lambda tools: tools.split_region((0.5, 0.5)), SplitRegion(point=(0.5, 0.5))),
        (lambda tools: tools.set_style("mean"), SetStyle(source="mean")),
        (
            lambda tools: tools.set_style("bank:2", "skin", strength=0.0, blocks=range(2), instance=1),
            SetStyle(source="bank:2", regions=("skin",), strength=0.0, blocks=(0, 1), instance=1),
        ),
        (lambda tools: tools.set_style("own", ["skin", 3]), SetStyle(source="own", regions=("skin", 3))),
    ],
)
def test_a_method_applies_its_edit(use: Callable[[Tools], None], edit: Edit) -> None:
    tools = Recorder()
    use(tools)
    assert tools.edits == [edit]


def test_a_split_gives_the_number_of_the_new_instance() -> None:
    assert Recorder().split_region((0.5, 0.5)) == 7
