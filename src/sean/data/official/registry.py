"""The official data sets by name. A new one is a module with a `DATASET` beside this one, and its name here."""

from sean.data.official import ade20k, celebamask_hq, cityscapes, cmp_facades
from sean.data.official.layout import OfficialDataset
from sean.errors import InputError

OFFICIAL: dict[str, OfficialDataset] = {
    module.DATASET.labels.name: module.DATASET for module in (celebamask_hq, ade20k, cityscapes, cmp_facades)
}


def official_dataset(name: str) -> OfficialDataset:
    """The data set of that name.

    Raises:
        InputError: the name is unknown; the message lists the known ones.
    """
    if name not in OFFICIAL:
        raise InputError(f"unknown data set {name!r}; those that can be prepared: {', '.join(OFFICIAL)}")
    return OFFICIAL[name]
