"""Settings of augmentation: which regions change, how many, how strongly, the source of styles, and the geometry."""

from dataclasses import dataclass
from typing import Literal

from sean.errors import InputError

StyleSource = Literal["data", "mixed", "bank"]
Mode = Literal["photo", "render"]


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """Settings of augmentation.

    Attributes:
        copies: restyled pictures for every labelled one.
        mode: "photo" keeps the photo's detail and changes the colours of its regions as the model does; "render" gives
            the model's own picture, enlarged to the size of the map.
        styles: "data" takes the style of a region from another picture of the set that has the label; "mixed"
            interpolates between those of two others; "bank" takes it from the model's style bank.
        by_instance: with instance maps, every object takes its own style from another object.
        regions: names of labels or groups that may change; empty means all.
        least: smallest number of regions (or objects) that change at once; regions of one material, such as all skin,
            count as one.
        most: largest number of them; 0 means all regions of the picture.
        weakest: lower end of the range that the weight of the new style is drawn from; 0 keeps the region's own style,
            1 takes the new one.
        strongest: upper end of that range.
        mirror: probability of a mirror image, with left and right labels exchanged.
        warp: largest shift of a smooth random warp, as a part of the picture's size; 0 warps nothing.
        min_share: regions smaller than this part of the picture are neither changed nor a source of styles.
        seed: of all random choices; the same seed and data give the same bytes.

    Raises:
        InputError: a value outside of its range.
    """

    copies: int = 4
    mode: Mode = "photo"
    styles: StyleSource = "data"
    by_instance: bool = True
    regions: tuple[str, ...] = ()
    least: int = 1
    most: int = 0
    weakest: float = 0.5
    strongest: float = 1.0
    mirror: float = 0.0
    warp: float = 0.0
    min_share: float = 0.001
    seed: int = 0

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise InputError(f"expected at least 1 copy of every picture, got {self.copies}")
        if self.least < 1 or (self.most != 0 and self.most < self.least):
            raise InputError(
                f"expected 1 <= least <= most, or most = 0 for all regions, got least {self.least} and most {self.most}"
            )
        if not 0.0 <= self.weakest <= self.strongest <= 2.0:
            raise InputError(f"expected strengths in 0..2, the weakest first, got {self.weakest} to {self.strongest}")
        if not 0.0 <= self.mirror <= 1.0:
            raise InputError(f"expected a probability of mirror images in 0..1, got {self.mirror}")
        if not 0.0 <= self.warp <= 0.25:
            raise InputError(f"expected a warp of at most a quarter of the picture, 0..0.25, got {self.warp}")
        if not 0.0 <= self.min_share < 1.0:
            raise InputError(f"expected a least share of the picture in 0..1, got {self.min_share}")
        if self.seed < 0:
            raise InputError(f"expected a seed of 0 or more, got {self.seed}")
