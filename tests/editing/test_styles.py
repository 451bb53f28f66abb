"""The algebra of style codes, with hand-computed numbers and its errors."""

from pathlib import Path

import pytest
import torch

from sean.editing.styles import StyleCodes, load_style_codes, mean_style, save_style_codes
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ, LabelSet

from ..support.pipelines import random_styles

TWO = LabelSet(name="two", names=("sky", "sea"))


def two(sky: float, sea: float, present: tuple[bool, bool] = (True, True)) -> StyleCodes:
    return StyleCodes(torch.tensor([[float(sky)], [float(sea)]]), torch.tensor(present), TWO)


def test_exchange_takes_exactly_the_named_regions() -> None:
    a, b = random_styles(1), random_styles(2)
    mixed = a.with_region(["hair", 1], b)
    taken = {CELEBAMASK_HQ.id_of("hair"), 1}
    for region in range(19):
        assert torch.equal(mixed.codes[region], (b if region in taken else a).codes[region])
    assert torch.equal(a.codes, random_styles(1).codes), "the original has changed"


def test_exchange_gives_a_region_that_was_absent() -> None:
    mixed = two(0.5, 0.0, (True, False)).with_region("sea", two(0.1, 0.2))
    assert mixed.present.tolist() == [True, True]
    torch.testing.assert_close(mixed.codes, torch.tensor([[0.5], [0.2]]))


def test_exchange_from_a_style_without_the_region_is_refused() -> None:
    with pytest.raises(InputError, match="has no sea; it has sky"):
        two(1, 2).with_region("sea", two(1, 0, (True, False)))


def test_unknown_region_is_refused() -> None:
    with pytest.raises(InputError, match="'beard'"):
        random_styles(1).with_region("beard", random_styles(2))


def test_lerp_by_hand() -> None:
    torch.testing.assert_close(two(0, 1).lerp(two(1, 3), 0.25).codes, torch.tensor([[0.25], [1.5]]))
    torch.testing.assert_close(two(0, 1).lerp(two(1, 3), 0.25, regions=["sea"]).codes, torch.tensor([[0.0], [1.5]]))
    torch.testing.assert_close(two(0, 1).lerp(two(1, 3), 2.0, regions="sky").codes, torch.tensor([[2.0], [1.0]]))


def test_lerp_keeps_the_region_that_one_side_lacks() -> None:
    between = two(0.4, 0, (True, False)).lerp(two(0, 0.6, (False, True)), 0.5)
    torch.testing.assert_close(between.codes, torch.tensor([[0.4], [0.6]]))
    assert between.present.all()


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_lerp_refuses_a_weight_that_is_no_number(weight: float) -> None:
    with pytest.raises(InputError, match="finite"):
        two(0, 1).lerp(two(1, 1), weight)


def test_completed_fills_only_what_is_absent() -> None:
    filled = two(0.3, 0, (True, False)).completed(two(0.8, 0.9))
    torch.testing.assert_close(filled.codes, torch.tensor([[0.3], [0.9]]))


def test_mean_leaves_absent_regions_out() -> None:
    mean = mean_style([two(0.2, 0, (True, False)), two(0.4, 0.7), two(0.6, 0, (True, False))])
    torch.testing.assert_close(mean.codes, torch.tensor([[0.4], [0.7]]))


def test_styles_of_different_models_do_not_mix() -> None:
    with pytest.raises(InputError, match="different models"):
        two(0, 1).lerp(random_styles(1), 0.5)


def test_file_round_trip(tmp_path: Path) -> None:
    style = random_styles(3, present=0.5)
    style.save(tmp_path / "a.safetensors")
    back = StyleCodes.load(tmp_path / "a.safetensors")
    assert torch.equal(back.codes, style.codes)
    assert torch.equal(back.present, style.present)
    assert back.labels == style.labels


def test_several_styles_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "bank.safetensors"
    save_style_codes(path, [random_styles(1), random_styles(2)], dtype=torch.float16)
    first, second = load_style_codes(path)
    torch.testing.assert_close(first.codes, random_styles(1).codes, atol=1e-3, rtol=0)
    torch.testing.assert_close(second.codes, random_styles(2).codes, atol=1e-3, rtol=0)
    with pytest.raises(InputError, match="got those of 2"):
        StyleCodes.load(path)


@pytest.mark.parametrize("content", [b"", b"garbage" * 50, b"\x80\x04pickle"])
def test_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.safetensors"):
        StyleCodes.load(path)


def test_missing_file_and_wrong_suffix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        StyleCodes.load(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match=r"\.safetensors"):
        random_styles(1).save(tmp_path / "a.pt")
    assert not list(tmp_path.iterdir())


def test_codes_must_fit_the_labels() -> None:
    with pytest.raises(InputError, match=r"\[2, d\]"):
        StyleCodes(torch.zeros(3, 1), torch.ones(3, dtype=torch.bool), TWO)
