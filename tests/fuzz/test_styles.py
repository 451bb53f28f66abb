"""The algebra of styles: laws that hold whatever the codes, the regions and the weights are."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from hypothesis import given
from hypothesis import strategies as st

from sean.editing.styles import StyleCodes, load_style_codes, mean_style, save_style_codes
from sean.labels import LabelSet

LABELS = LabelSet(name="toy", names=("sky", "l_eye", "r_eye", "lip", "sea"), flip_pairs=((1, 2),))
NAMES = st.sampled_from(LABELS.names)


@st.composite
def styles(draw: st.DrawFn) -> StyleCodes:
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    present = torch.tensor(draw(st.lists(st.booleans(), min_size=5, max_size=5)))
    codes = torch.rand(5, 3, generator=rng) * 2 - 1
    colours = torch.rand(5, 3, generator=rng) * 255
    colours[~present] = torch.nan
    known = draw(st.booleans()) and bool(present.any())
    return StyleCodes(codes * present.unsqueeze(1), present, LABELS, colours if known else None)


@given(styles(), styles(), st.sets(NAMES, min_size=1))
def test_exchange(mine: StyleCodes, yours: StyleCodes, regions: set[str]) -> None:
    chosen = sorted(regions & set(yours.regions))
    mixed = mine.with_region(chosen, yours)
    assert set(mixed.regions) == set(mine.regions) | set(chosen)
    for region, name in enumerate(LABELS.names):
        assert torch.equal(mixed.codes[region], (yours if name in chosen else mine).codes[region])
    assert mixed.with_region(chosen, yours) == mixed
    assert mine.with_region([], yours) == mine and mine.with_region(mine.regions, mine) == mine


@given(styles(), styles(), st.floats(-2, 3), st.one_of(st.none(), st.lists(NAMES, max_size=3)))
def test_interpolation(mine: StyleCodes, yours: StyleCodes, weight: float, regions: list[str] | None) -> None:
    between = mine.lerp(yours, weight, regions)
    chosen = LABELS.names if regions is None else regions
    for region, name in enumerate(LABELS.names):
        one, other, here = mine.codes[region], yours.codes[region], between.codes[region]
        if name in chosen and mine.present[region] and yours.present[region]:
            torch.testing.assert_close(here, one + weight * (other - one), atol=1e-5, rtol=1e-5)
        elif name in chosen and yours.present[region]:
            assert torch.equal(here, other)
        else:
            assert torch.equal(here, one)
        assert bool(between.present[region]) == bool(mine.present[region] or (name in chosen and yours.present[region]))
    if between.mean_colours is not None:
        levels = between.mean_colours[~between.mean_colours.isnan()]
        assert ((levels >= 0) & (levels <= 255)).all()
    assert torch.equal(mine.lerp(yours, 0.0).codes[mine.present], mine.codes[mine.present])
    assert torch.equal(mine.lerp(yours, 1.0).codes[yours.present], yours.codes[yours.present])


@given(styles(), styles(), styles())
def test_completion(one: StyleCodes, two: StyleCodes, three: StyleCodes) -> None:
    assert one.completed(one) == one
    assert one.completed(two).completed(three) == one.completed(two.completed(three))
    both = one.completed(two)
    assert set(both.regions) == set(one.regions) | set(two.regions)
    assert torch.equal(both.codes[one.present], one.codes[one.present])


@given(st.lists(styles(), min_size=1, max_size=4))
def test_mean_and_files(many: list[StyleCodes]) -> None:
    mean = mean_style(many)
    assert set(mean.regions) == {name for style in many for name in style.regions}
    for region in range(5):
        rows = [style.codes[region] for style in many if style.present[region]]
        expected = torch.stack(rows).mean(0) if rows else torch.zeros(3)
        torch.testing.assert_close(mean.codes[region], expected, atol=1e-6, rtol=1e-5)
    with TemporaryDirectory() as folder:
        save_style_codes(Path(folder) / "a.safetensors", many)
        assert load_style_codes(Path(folder) / "a.safetensors") == many
