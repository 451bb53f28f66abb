"""What a renderer keeps between pictures: never stale, bounded, and nothing made twice."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from sean.inference.renderer import Renderer
from sean.models.configs import NUM_STYLED_BLOCKS
from sean.plan.patch_plan import SegmapPlan
from sean.plan.planner import Planner, plan_segmap

from .conftest import Made, assert_renders, faces, make_codes, make_generator

# SEAN norms at every resolution, from coarse to fine; those of the last have no style branch.
NORMS = (2, 4, 3, 3, 3, 3)
STYLED_NORMS = (2, 4, 3, 3, 3, 0)


def rows_of(plan: SegmapPlan, norms: Sequence[int]) -> int:
    return sum(level.num_rows * count for level, count in zip(plan.levels, norms, strict=True))


class Session:
    """Someone at work: a few pictures open, styles so far, and one thing done after the other.

    Attributes:
        plan, variants, codes: of the picture to show now.
    """

    K = 5
    ACTIONS = ("new style", "old style", "one region", "crossover", "new segmap", "stroke", "noise", "undo", "old plan")

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._styles = [[make_codes(self.K, 2)] * NUM_STYLED_BLOCKS]
        self.codes = self._styles[0]
        self._shown: list[tuple[SegmapPlan, Tensor]] = []
        self._open()

    def do(self, action: str) -> None:
        if action == "new style":
            self._style([make_codes(self.K, 2)] * NUM_STYLED_BLOCKS)
        elif action == "old style":
            self._style(self._any(self._styles))
        elif action == "one region":
            changed = self.codes[0].clone()
            changed[:, self._rng.integers(self.K)] += 1
            self._style([changed] * NUM_STYLED_BLOCKS)
        elif action == "crossover":
            self._style([self._any(self._styles)[index] for index in range(NUM_STYLED_BLOCKS)])
        elif action == "new segmap":
            self._open()
        elif action == "old plan":
            self.plan, self.variants = self._any(self._shown)
        else:
            segmap, variants = (tensor.clone() for tensor in self._history[-1])
            _, height, width = segmap.shape
            y, x = self._rng.integers(height - 8), self._rng.integers(width - 8)
            if action == "stroke":
                segmap[:, y : y + 8, x : x + 20] = int(self._rng.integers(self.K + 1))
                variants[:, y : y + 20, x : x + 4] = int(self._rng.integers(2))
            elif action == "noise":
                segmap[:, 4:] = torch.randint(self.K, segmap[:, 4:].shape)
            else:
                segmap, variants = self._history[max(-3, -len(self._history))]
            self._show(segmap, variants)

    def all_actions(self) -> list[str]:
        """In an order of their own."""
        return self._rng.permutation(self.ACTIONS).tolist()

    def _open(self) -> None:
        size = self._any([(32, 64), (64, 32)])
        segmap = faces(int(self._rng.integers(99)), size=size) % self.K
        variants = torch.zeros_like(segmap)
        self._planner, self._history = Planner(segmap, variants), []
        self._show(segmap, variants)

    def _show(self, segmap: Tensor, variants: Tensor) -> None:
        self._history.append((segmap, variants))
        # as for a device: other objects, the same numbering
        self.plan, self.variants = self._planner.update(segmap, variants).to("cpu"), variants
        self._shown.append((self.plan, variants))

    def _style(self, codes: list[Tensor]) -> None:
        self._styles.append(codes)
        self.codes = codes

    def _any(self, choices: Sequence) -> object:
        return choices[self._rng.integers(len(choices))]


@torch.no_grad()
def test_no_picture_of_a_long_session_is_stale() -> None:
    generator, session, dense = make_generator(Session.K), Session(seed=0), set()
    renderers = {num_kept: Renderer(generator, num_kept) for num_kept in (1, 2, 4)}
    done = ["open", *(action for _ in range(4) for action in session.all_actions())]
    for step, action in enumerate(done):
        if step:
            session.do(action)
        plan, codes = session.plan, session.codes
        # the generator keeps nothing, and this plan is made from nothing
        expected = generator(plan.segmap, codes, plan=plan_segmap(plan.segmap, session.variants))
        for num_kept, renderer in renderers.items():
            error = (renderer(plan, codes) - expected).abs().max()
            assert error < 1e-10, f"num_kept {num_kept}: {', '.join(done[: step + 1])}"
        dense.add(plan.levels[-1].is_dense)
    assert dense == {False, True}


def test_a_segmap_with_fewer_instances_than_before() -> None:
    """The planner remembers regions of instances that the new codes do not have."""
    segmap, many, few = faces(0), torch.zeros(1, 64, 96, dtype=torch.long), torch.zeros(1, 64, 96, dtype=torch.long)
    many[:, 20:40, 20:40], few[:, 20:30, 20:30] = 4, 1
    generator, planner, codes = make_generator(), Planner(segmap, many), make_codes(variants=2)
    picture = Renderer(generator)(planner.update(segmap, few), codes)
    with torch.no_grad():
        expected = generator(segmap, codes, plan=plan_segmap(segmap, few))
    torch.testing.assert_close(picture, expected, atol=1e-10, rtol=0)


def test_the_same_picture_again_makes_nothing(made: Made) -> None:
    renderer, segmap, codes = Renderer(make_generator()), faces(0), make_codes()
    plan = plan_segmap(segmap)
    first = renderer(plan, codes)
    labels = len(segmap.unique())
    mask, style, table = made.look()
    assert (mask, style) == (rows_of(plan, NORMS), rows_of(plan, STYLED_NORMS))
    assert table == sum(len(level.regions) * n for level, n in zip(plan.levels, STYLED_NORMS, strict=True))
    assert table <= labels * sum(STYLED_NORMS)
    assert torch.equal(renderer(plan, codes.clone()), first)
    assert torch.equal(renderer(plan.to("cpu"), [codes] * NUM_STYLED_BLOCKS), first)
    assert made.look() == (0, 0, 0)


def test_a_new_style_makes_no_mask_rows(made: Made) -> None:
    generator = make_generator()
    renderer, plan, codes, other = Renderer(generator), plan_segmap(faces(0)), make_codes(), make_codes()
    renderer(plan, codes)
    mask, style, table = made.look()
    assert mask > 0
    assert_renders(renderer, generator, plan, other)
    assert made.look() == (0, style, table)
    for crossed in ([codes] * 3 + [other] * 3, [other] * 5 + [codes]):
        assert_renders(renderer, generator, plan, crossed)
        assert made.look() == (0, style, table)
    renderer(plan, other)
    assert made.look() == (0, 0, 0)


def test_a_new_segmap_fills_only_what_its_labels_lack(made: Made) -> None:
    generator, codes = make_generator(), make_codes()
    renderer = Renderer(generator)
    first, second, third = torch.zeros(3, 1, 64, 64, dtype=torch.long)
    first[:, :32], second[:, :, 32:], third[:, :32, 32:] = 7, 7, 9
    renderer(plan_segmap(first), codes)
    assert made.look()[2] == 2 * sum(STYLED_NORMS)
    for segmap, missing in ((second, 0), (third, 1), (first.flip(1), 0)):
        plan = plan_segmap(segmap)
        assert_renders(renderer, generator, plan, codes)
        assert made.look() == (rows_of(plan, NORMS), rows_of(plan, STYLED_NORMS), missing * sum(STYLED_NORMS))


def test_a_stroke_makes_only_rows_that_nobody_has_seen(made: Made) -> None:
    generator, segmap, codes = make_generator(), faces(0, size=(128, 128)), make_codes()
    renderer, planner = Renderer(generator), Planner(segmap)
    before = planner.plan
    renderer(before, codes)
    whole, _, _ = made.look()
    painted = segmap.clone()
    painted[:, 60:70, 50:66] = 11
    after = planner.update(painted)
    assert all(new.numbering is old.numbering for new, old in zip(after.levels, before.levels, strict=True))
    assert_renders(renderer, generator, after, codes)
    new_mask, new_style = (rows_of(after, norms) - rows_of(before, norms) for norms in (NORMS, STYLED_NORMS))
    assert made.look()[:2] == (new_mask, new_style)
    assert 0 < new_mask < whole / 4
    for plan in (before, planner.update(segmap), planner.update(painted), after):
        assert_renders(renderer, generator, plan, codes)
    assert made.look() == (0, 0, 0)
    # in another style, mask rows are there already
    assert_renders(renderer, generator, after, make_codes())
    assert made.look()[:2] == (0, rows_of(after, STYLED_NORMS))


def test_a_style_that_has_not_followed_the_strokes_catches_up(made: Made) -> None:
    """Its rows are fewer than the mask rows: the missing ones are the last."""
    generator, segmap, styles = make_generator(), faces(0), [make_codes(), make_codes()]
    renderer, planner = Renderer(generator), Planner(segmap)
    start = planner.plan
    for codes in styles:
        renderer(start, codes)
    for label in (3, 4):
        segmap = segmap.clone()
        segmap[:, 10 * label : 10 * label + 8, 30:50] = label
        renderer(planner.update(segmap), styles[0])
    made.look()
    assert_renders(renderer, generator, planner.plan, styles[1])
    assert made.look()[:2] == (0, rows_of(planner.plan, STYLED_NORMS) - rows_of(start, STYLED_NORMS))


@pytest.mark.parametrize("num_kept", [1, 3])
def test_what_is_kept_is_bounded(num_kept: int) -> None:
    renderer = Renderer(make_generator(), num_kept)
    for seed in range(3 * num_kept):
        renderer(plan_segmap(faces(seed, size=(32, 32))), make_codes())
    assert len(renderer._styles) == num_kept
    for kept in (renderer._mask_parts, renderer._rows):
        assert len(kept._entries) <= num_kept * sum(NORMS)


def test_of_more_segmaps_or_styles_than_are_kept_the_oldest_goes(made: Made) -> None:
    renderer = Renderer(make_generator(), num_kept=2)
    plans = [plan_segmap(faces(seed, size=(32, 32))) for seed in range(3)]
    styles = [make_codes() for _ in range(3)]

    def makes_rows(plan: int, style: int) -> bool:
        made.look()
        renderer(plans[plan], styles[style])
        return made.look() != (0, 0, 0)

    assert [makes_rows(plan, 0) for plan in (0, 1, 0, 1)] == [True, True, False, False]
    assert [makes_rows(1, style) for style in (1, 0, 1, 0)] == [True, False, False, False]
    assert [makes_rows(plan, 0) for plan in (2, 1, 2, 0)] == [True, False, False, True]
    assert [makes_rows(0, style) for style in (1, 0, 2, 0, 1)] == [True, False, True, False, True]
