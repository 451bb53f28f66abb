"""Does restyling help? A segmentation network trained on a part of a set, without and with restyled copies.

Four ways: the pictures as they are, with changed colours (jitter), with copies by SEAN, with both. Each trains the
small U-Net of the parsers from the same random weights for the same number of steps on the same pictures; in every way
half of the pictures are mirrored. Measured is mIoU on the held-out pictures, as they are and under a shift: with the
white balance of another lamp, and darkened as at night.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sean.augmentation.recipes import RecipeBook, parts_of
from sean.augmentation.restyler import Restyler
from sean.augmentation.settings import AugmentSettings
from sean.data.paired import Pair, PairSource
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.evaluation.metrics import confusion_matrix, segmentation_scores
from sean.evaluation.settings import Progress, untracked
from sean.images import image_to_tensor, resize_image
from sean.labels import LabelSet
from sean.models.configs import UNetParserConfig
from sean.models.parsers import UNetParser
from sean.segmap import resize_segmap
from sean.training.parser.augmentation import augment
from sean.training.parser.config import Augmentation
from sean.training.parser.objective import class_weights, parser_losses

WAYS = {"none": "pictures alone", "jitter": "colour jitter", "sean": "SEAN copies", "both": "SEAN copies and jitter"}
"""The ways of training, by their titles in tables."""

FRACTIONS = (0.05, 0.1, 0.25, 1.0)
SHIFTS = ("as they are", "white balance", "night")
_JITTER = Augmentation(oversampling=1, zoom=0.0, shift=0.0, rotation=0.0, grey=0.0, blur=0.0)
_WHITE_BALANCE = (1.25, 1.0, 0.7)
_BATCH = 8
_RATE = 2e-3
_LARGEST_WEIGHT = 5.0
_RESTYLED = 0.5
"""Share of copies in a batch, in the ways with copies."""


@dataclass(frozen=True, kw_only=True)
class AugmentationTerms:
    """Terms that all trainings share.

    Attributes:
        size: height and width, in pixels, of the segmentation network's input; multiples of 32.
        steps: of every training.
        fractions: the parts of the training set to train on.
        seeds: each determines the choice of the part, the random weights, and the copies.
        copies: restyled copies of every picture of the part.
        widths: of the network, see `UNetParserConfig`.
    """

    size: tuple[int, int]
    steps: int
    fractions: Sequence[float] = FRACTIONS
    seeds: Sequence[int] = (0, 1)
    copies: int = 4
    widths: tuple[int, int, int, int, int, int] = UNetParserConfig.widths


@dataclass(frozen=True, kw_only=True, eq=False)
class _Set:
    """Pairs as tensors: float32 [n, 3, h, w] in [-1, 1] and int64 [n, h, w]."""

    images: Tensor
    segmaps: Tensor

    @classmethod
    def of(cls, pairs: Sequence[Pair], size: tuple[int, int]) -> "_Set":
        images = [image_to_tensor(resize_image(pair.image, size)) for pair in pairs]
        segmaps = [torch.from_numpy(resize_segmap(pair.segmap, size)) for pair in pairs]
        return cls(images=torch.stack(images), segmaps=torch.stack(segmaps))


def run_augmentation(
    pipeline: SEANPipeline,
    training: PairSource,
    held_out: PairSource,
    terms: AugmentationTerms,
    progress: Progress = untracked,
) -> dict[str, Any]:
    """Train and measure all ways on all parts of a set.

    Args:
        pipeline: the model that restyles, with the labels of the set.
        training: the pairs that the parts are drawn from.
        held_out: the pairs to measure on.
        terms: of the trainings.
        progress: shows the progress of each training.

    Returns:
        miou: [way][fraction][shift], a list with a value for each seed; and the numbers of pictures.

    Raises:
        InputError: a part would have less than two pictures, between which styles could be exchanged.
    """
    labels, device = pipeline.labels, pipeline.device
    tests = {shift: _shifted(held_out, shift, terms.size) for shift in SHIFTS}
    counts = {fraction: max(1, round(fraction * len(training))) for fraction in terms.fractions}
    if min(counts.values()) < 2:
        raise InputError(
            f"expected at least 2 pictures in the smallest part of {len(training)}, got {min(counts.values())}; give "
            "more pictures"
        )
    found: dict[str, Any] = {way: {str(fraction): {} for fraction in terms.fractions} for way in WAYS}
    for seed in terms.seeds:
        order = np.random.default_rng(seed).permutation(len(training)).tolist()
        for fraction in terms.fractions:
            chosen = sorted(order[: counts[fraction]])
            pictures = _Set.of([training.read(index) for index in chosen], terms.size)
            copies = _Set.of(
                _copies(pipeline, training, chosen, AugmentSettings(copies=terms.copies, seed=seed)), terms.size
            )
            for way in WAYS:
                name = f"{WAYS[way]}, {fraction:.0%}, seed {seed}"
                network = _trained(way, pictures, copies, labels, terms, seed, device, progress, name)
                for shift, test in tests.items():
                    scores = found[way][str(fraction)].setdefault(shift, [])
                    scores.append(_miou(network, test, labels, device))
    training_counts = {str(fraction): count for fraction, count in counts.items()}
    return {"miou": found, "training": training_counts, "held_out": len(held_out)}


def _copies(
    pipeline: SEANPipeline, training: PairSource, chosen: Sequence[int], settings: AugmentSettings
) -> list[Pair]:
    """Restyled copies of some pictures, with styles from these pictures only."""
    indices = {training.name(index): index for index in chosen}

    def read(name: str) -> Pair:
        return training.read(indices[name])

    parts = {name: parts_of(read(name), pipeline.labels.num_regions, settings) for name in indices}
    bank = [torch.nonzero(style.present).flatten().tolist() for style in pipeline.style_bank]
    book = RecipeBook(parts, pipeline.labels, settings, bank)
    restyler = Restyler(pipeline, read, settings)
    made = []
    for name in indices:
        pair = read(name)
        made += [restyler.copy(pair, book.recipe(name, copy)) for copy in range(1, settings.copies + 1)]
    return made


def _trained(
    way: str,
    pictures: _Set,
    copies: _Set,
    labels: LabelSet,
    terms: AugmentationTerms,
    seed: int,
    device: torch.device,
    progress: Progress,
    name: str,
) -> UNetParser:
    """Train a network in one way; ways differ only in the pictures of a step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = UNetParserConfig(num_regions=labels.num_regions, image_size=terms.size, widths=terms.widths)
        network = UNetParser(config).to(device).train()
    counts = torch.bincount(pictures.segmaps.flatten(), minlength=labels.num_regions + 1)[: labels.num_regions]
    weights = class_weights(counts, _LARGEST_WEIGHT).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=terms.steps + 1, pct_start=0.1)
    rng = np.random.default_rng([seed, 1])
    for step in progress(range(terms.steps), name, terms.steps):
        images, segmaps = _batch(way, pictures, copies, labels, rng)
        if way in ("jitter", "both"):
            generators = [torch.Generator().manual_seed(seed * 1_000_003 + step * 101 + i) for i in range(len(images))]
            images, segmaps = augment(images, segmaps, terms.size, labels.num_regions, generators, _JITTER)
        losses = parser_losses(network(images.to(device)), segmaps.to(device), weights)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def _batch(way: str, pictures: _Set, copies: _Set, labels: LabelSet, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The pictures of one step, some of them copies, half of them mirrored; every way draws the same random numbers."""
    index = torch.from_numpy(rng.integers(len(pictures.images), size=_BATCH))
    copy = torch.from_numpy(rng.integers(len(copies.images) // len(pictures.images), size=_BATCH))
    is_copy = torch.from_numpy(rng.random(_BATCH) < (_RESTYLED if way in ("sean", "both") else 0.0))
    mirrored = torch.from_numpy(rng.random(_BATCH) < 0.5)
    of_copy = index * (len(copies.images) // len(pictures.images)) + copy
    images = torch.where(is_copy.view(-1, 1, 1, 1), copies.images[of_copy], pictures.images[index])
    segmaps = pictures.segmaps[index]
    table = torch.tensor(labels.flip_table)
    images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)
    segmaps = torch.where(mirrored.view(-1, 1, 1), table[segmaps.flip(-1)], segmaps)
    return images, segmaps


def _shifted(pairs: PairSource, shift: str, size: tuple[int, int]) -> _Set:
    """The held-out pictures under a shift."""
    found = []
    for index in range(len(pairs)):
        pair = pairs.read(index)
        found.append(replace(pair, image=shifted_image(pair.image, shift)))
    return _Set.of(found, size)


def shifted_image(image: np.ndarray, shift: str) -> np.ndarray:
    """uint8 [h, w, 3] under another lamp or at night; computed in linear light, as sensors and lamps work."""
    if shift == SHIFTS[0]:
        return image
    linear = (image / 255.0) ** 2.2
    linear = linear * np.array(_WHITE_BALANCE) if shift == "white balance" else linear * np.array((0.15, 0.17, 0.25))
    levels: np.ndarray = np.rint(linear.clip(0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    return levels


@torch.inference_mode()
def _miou(network: UNetParser, test: _Set, labels: LabelSet, device: torch.device) -> float:
    matrix = torch.zeros(labels.num_regions, labels.num_regions + 1, dtype=torch.int64)
    for images, segmaps in zip(test.images.split(_BATCH), test.segmaps.split(_BATCH), strict=True):
        matrix += confusion_matrix(network.predict(images.to(device)).cpu(), segmaps, labels.num_regions)
    return float(segmentation_scores(matrix, labels.names)["miou"])
