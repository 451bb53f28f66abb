"""Recipes: drawn from the seed, the picture and the number alone; donors are others; all that the settings say."""

from dataclasses import replace

import numpy as np
import pytest

from sean.augmentation.recipes import BANK, Part, RecipeBook, parts_of
from sean.augmentation.settings import AugmentSettings
from sean.data.paired import Pair
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ, LabelSet

LABELS = LabelSet(name="x", names=("sky", "car", "road"))
PARTS = {
    "a": (Part(label=0), Part(label=1, instance=1), Part(label=1, instance=2), Part(label=2)),
    "b": (Part(label=0), Part(label=1, instance=4)),
    "c": (Part(label=0),),
    "d": (Part(label=1, instance=7), Part(label=2)),
}


def recipes(settings: AugmentSettings, count: int = 40) -> list:  # type: ignore[type-arg]
    """Some recipes of the picture a."""
    book = RecipeBook(PARTS, LABELS, settings)
    return [book.recipe("a", copy) for copy in range(1, count + 1)]


def test_a_recipe_follows_from_seed_picture_and_number() -> None:
    first, second = recipes(AugmentSettings()), recipes(AugmentSettings())
    assert first == second and len({str(recipe.changes) for recipe in first}) > 20
    assert recipes(AugmentSettings(seed=1)) != first
    book = RecipeBook(PARTS, LABELS, AugmentSettings())
    book.recipe("b", 1)
    assert book.recipe("a", 3) == first[2]


def test_styles_come_from_the_same_label_of_other_pictures() -> None:
    found = {
        (change.part.label, change.donors[0]) for recipe in recipes(AugmentSettings()) for change in recipe.changes
    }
    pictures = {label: {donor.picture for other, donor in found if other == label} for label in range(3)}
    assert pictures == {0: {"b", "c"}, 1: {"b", "d"}, 2: {"d"}}
    assert {donor.instance for label, donor in found if label == 1} == {4, 7}


def test_numbers_and_strengths_are_within_the_settings() -> None:
    made = recipes(AugmentSettings(least=2, most=3, weakest=0.25, strongest=0.75))
    assert {len(recipe.changes) for recipe in made} == {2, 3}
    strengths = [change.strength for recipe in made for change in recipe.changes]
    assert min(strengths) >= 0.25 and max(strengths) <= 0.75 and max(strengths) - min(strengths) > 0.3


def test_only_the_regions_that_may_change_do() -> None:
    made = recipes(AugmentSettings(regions=("road", "sky")))
    assert {change.part.label for recipe in made for change in recipe.changes} == {0, 2}
    with pytest.raises(InputError, match="unknown region 'roof'"):
        RecipeBook(PARTS, LABELS, AugmentSettings(regions=("roof",)))


def test_mixed_styles_are_those_of_two_pictures() -> None:
    made = recipes(AugmentSettings(styles="mixed", regions=("sky",)))
    assert all({donor.picture for donor in recipe.changes[0].donors} == {"b", "c"} for recipe in made)
    assert all(0 < recipe.changes[0].mix < 1 for recipe in made)


def test_styles_of_the_bank() -> None:
    book = RecipeBook(PARTS, LABELS, AugmentSettings(styles="bank"), bank=[{0}, {0, 1}])
    made = [book.recipe("a", copy) for copy in range(1, 30)]
    found = {(change.part.label, donor) for recipe in made for change in recipe.changes for donor in change.donors}
    assert {(label, donor.picture, donor.instance) for label, donor in found} == {
        (0, BANK, 0),
        (0, BANK, 1),
        (1, BANK, 1),
    }
    with pytest.raises(InputError, match="has no style bank"):
        RecipeBook(PARTS, LABELS, AugmentSettings(styles="bank"))


def test_labels_of_one_material_change_together() -> None:
    skin, nose, neck, hair = (Part(label=CELEBAMASK_HQ.id_of(name)) for name in ("skin", "nose", "neck", "hair"))
    parts = {"a": (skin, nose, neck, hair), "b": (skin, nose, neck, hair), "c": (skin, hair), "d": (nose, neck, skin)}
    book = RecipeBook(parts, CELEBAMASK_HQ, AugmentSettings(most=1))
    for recipe in (book.recipe("a", copy) for copy in range(1, 40)):
        changed = {change.part for change in recipe.changes}
        assert changed in ({hair}, {skin, nose, neck})
        assert len({(change.donors, change.strength) for change in recipe.changes}) == 1
        if skin in changed:
            assert recipe.changes[0].donors[0].picture in ("b", "d")


def test_mirrors_and_warps_are_drawn() -> None:
    made = recipes(AugmentSettings(mirror=0.5, warp=0.1))
    assert 5 < sum(recipe.mirror for recipe in made) < 35
    assert len({recipe.warp_seed for recipe in made}) == len(made)
    assert not any(recipe.mirror or recipe.warp_seed is not None for recipe in recipes(AugmentSettings()))


def test_parts_are_regions_or_objects_of_some_size() -> None:
    segmap = np.array([[0, 0, 1, 1], [0, 0, 1, 3], [0, 0, 1, 2]])
    instances = np.array([[0, 0, 5, 5], [0, 0, 6, 6], [0, 0, 6, 0]])
    pair = Pair(image=np.zeros((3, 4, 3), dtype=np.uint8), segmap=segmap, instances=instances)
    found = parts_of(pair, 3, AugmentSettings(min_share=0.0))
    assert found == (Part(label=0), Part(label=1, instance=5), Part(label=1, instance=6), Part(label=2))
    assert parts_of(pair, 3, AugmentSettings(min_share=0.2)) == (Part(label=0),)
    whole = parts_of(pair, 3, AugmentSettings(min_share=0.2, by_instance=False))
    assert whole == (Part(label=0), Part(label=1))


def test_a_set_in_which_nothing_can_change_is_refused() -> None:
    with pytest.raises(InputError, match="no other picture has it"):
        RecipeBook({"a": PARTS["a"]}, LABELS, AugmentSettings())


@pytest.mark.parametrize(
    "wrong",
    [
        {"copies": 0},
        {"least": 0},
        {"least": 3, "most": 2},
        {"weakest": 0.8, "strongest": 0.5},
        {"mirror": 1.5},
        {"warp": 0.5},
        {"min_share": 1.0},
        {"seed": -1},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected"):
        replace(AugmentSettings(), **wrong)  # type: ignore[arg-type]
