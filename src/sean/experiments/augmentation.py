"""Does restyling help? A segmentation network trained on a part of a set, without and with restyled copies.

There are four ways of training: on the pictures as they are, with changed colours (jitter), with copies by SEAN, and
with both. Each way trains a network from the same first weights for the same number of steps on the same pictures; half
of the pictures are mirrored in every way. The result is mIoU on the held-out pictures, as they are and under two
shifts: with the white balance of another lamp, and darkened as at night.

A training takes minutes and there are dozens, so the scores of each are kept in a file: an interrupted experiment
continues after the last finished training.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sean.augmentation.recipes import RecipeBook, parts_of
from sean.augmentation.restyler import Restyler
from sean.augmentation.settings import AugmentSettings
from sean.data.paired import Pair, PairSource
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.evaluation.metrics import confusion_matrix, segmentation_scores
from sean.evaluation.settings import Progress, untracked
from sean.evaluation.streaming import digest_of
from sean.files import read_json, write_text_atomic
from sean.images import image_to_tensor, resize_image
from sean.labels import LabelSet
from sean.models.configs import PyramidParserConfig, UNetParserConfig
from sean.models.parsers import PyramidParser
from sean.models.weights import network_digest
from sean.parsing.segformer import new_segformer
from sean.segmap import resize_segmap
from sean.training.parser.augmentation import augment
from sean.training.parser.config import Augmentation
from sean.training.parser.objective import class_weights, parser_losses
from sean.training.parser.state import drawn_parser

WAYS = {"none": "pictures alone", "jitter": "colour jitter", "sean": "SEAN copies", "both": "SEAN copies and jitter"}
"""The ways of training, by their titles in tables."""

FRACTIONS = (0.05, 0.1, 0.25, 1.0)
SHIFTS = ("as they are", "white balance", "night")
SEGMENTERS = {
    "unet": "the parsers' small U-Net, random weights",
    "pyramid": "EfficientNet-Lite1 with ImageNet weights and a feature pyramid",
    "segformer": "SegFormer-B0, random weights",
}
"""The networks to train, by their titles in tables."""

_JITTER = Augmentation(oversampling=1, zoom=0.0, shift=0.0, rotation=0.0, grey=0.0, blur=0.0)
_WHITE_BALANCE = (1.25, 1.0, 0.7)
_BATCH = 8
_RATES = {"unet": 2e-3, "pyramid": 2e-3, "segformer": 5e-4}
_PRETRAINED_RATE = 0.15
"""Learning rate of ImageNet weights, as a fraction of the others'."""
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
        segmenters: the networks to train, some of `SEGMENTERS`.
        widths: of the U-Net, see `UNetParserConfig`.
    """

    size: tuple[int, int]
    steps: int
    fractions: Sequence[float] = FRACTIONS
    seeds: Sequence[int] = (0, 1)
    copies: int = 4
    segmenters: Sequence[str] = ("unet",)
    widths: tuple[int, int, int, int, int, int] = UNetParserConfig.widths

    def __post_init__(self) -> None:
        unknown = [name for name in self.segmenters if name not in SEGMENTERS]
        if unknown or not self.segmenters:
            raise InputError(f"expected networks of {', '.join(SEGMENTERS)}, got {', '.join(unknown) or 'none'}")
        if self.copies < 1:
            raise InputError(f"expected at least 1 copy of a picture, got {self.copies}")


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

    def digest(self) -> str:
        """A digest of all pixels."""
        digest = hashlib.sha256(self.images.numpy().data)
        digest.update(self.segmaps.numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class _Finished:
    """The content of the file of finished trainings.

    Attributes:
        scores: by the digest of what trainings share, by the training, by the shift.
    """

    scores: dict[str, dict[str, dict[str, float]]]


class _Memory:
    """The scores of finished trainings, kept in a JSON file.

    Args:
        path: the file; None keeps nothing.
        shared: what all trainings of this experiment share, as JSON values; the file keeps scores of others, too.
    """

    def __init__(self, path: Path | None, shared: Mapping[str, Any]) -> None:
        self._path = path
        self._key = digest_of(shared)

    def __getitem__(self, training: str) -> dict[str, float] | None:
        return self._all().get(self._key, {}).get(training)

    def __setitem__(self, training: str, scores: dict[str, float]) -> None:
        if self._path is None:
            return
        found = self._all()
        found.setdefault(self._key, {})[training] = scores
        write_text_atomic(self._path, json.dumps({"scores": found}, indent=1) + "\n")

    def _all(self) -> dict[str, dict[str, dict[str, float]]]:
        if self._path is None or not self._path.exists():
            return {}
        return read_json(self._path, _Finished, "the scores of finished trainings").scores


def _content_digest(pairs: PairSource, progress: Progress) -> str:
    """A digest of the names, pictures and maps of all pairs."""
    digest = hashlib.sha256()
    for index in progress(range(len(pairs)), "reading the training pictures", len(pairs)):
        pair = pairs.read(index)
        arrays = [array for array in (pair.image, pair.segmap, pair.instances) if array is not None]
        digest.update(json.dumps([pairs.name(index), *(array.shape for array in arrays)]).encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def run_augmentation(
    pipeline: SEANPipeline,
    training: PairSource,
    held_out: PairSource,
    terms: AugmentationTerms,
    progress: Progress = untracked,
    memory: Path | None = None,
) -> dict[str, Any]:
    """Train and measure all ways on all parts of a set.

    Args:
        pipeline: the model that restyles, with the labels of the set.
        training: the pairs that the parts are drawn from.
        held_out: the pairs to measure on.
        terms: of the trainings.
        progress: shows the progress of each training.
        memory: a JSON file that keeps the scores of finished trainings, so that the experiment can be interrupted.

    Returns:
        miou: [network][way][fraction][shift], a list with a value for each seed; and the numbers of pictures.

    Raises:
        InputError: a part would have less than two pictures, between which styles could be exchanged; a package of a
            network is missing; or the memory is not one.
    """
    counts = {fraction: max(1, round(fraction * len(training))) for fraction in terms.fractions}
    if min(counts.values()) < 2:
        raise InputError(
            f"expected at least 2 pictures in the smallest part of {len(training)}, got {min(counts.values())}; give "
            "more pictures"
        )
    tests = {shift: _shifted(held_out, shift, terms.size) for shift in SHIFTS}
    settings = {
        name: value for name, value in asdict(terms).items() if name not in ("fractions", "seeds", "segmenters")
    }
    shared: dict[str, Any] = {}
    if memory is not None:  # it takes a reading of all pictures
        shared = {
            "model": network_digest(pipeline.model),
            "labels": pipeline.labels.to_dict(),
            "training": _content_digest(training, progress),
            "held_out": {shift: test.digest() for shift, test in tests.items()},
            "terms": settings,
            "recipe": {"batch": _BATCH, "rates": _RATES, "pretrained_rate": _PRETRAINED_RATE, "restyled": _RESTYLED},
        }
    scores = _Memory(memory, shared)
    found: dict[str, Any] = {
        network: {way: {str(fraction): {} for fraction in terms.fractions} for way in WAYS}
        for network in terms.segmenters
    }
    for seed in terms.seeds:
        order = np.random.default_rng(seed).permutation(len(training)).tolist()
        for fraction in terms.fractions:
            part = _Part(pipeline, training, sorted(order[: counts[fraction]]), terms, seed, progress)
            for network in terms.segmenters:
                for way in WAYS:
                    name = f"{network}, {WAYS[way]}, {counts[fraction]} pictures, seed {seed}"
                    if (measured := scores[name]) is None:
                        trained = part.train(network, way, name)
                        measured = {
                            shift: _miou(trained, test, pipeline.labels, pipeline.device)
                            for shift, test in tests.items()
                        }
                        scores[name] = measured
                    for shift, miou in measured.items():
                        found[network][way][str(fraction)].setdefault(shift, []).append(miou)
    training_counts = {str(fraction): count for fraction, count in counts.items()}
    return {"miou": found, "training": training_counts, "held_out": len(held_out)}


class _Part:
    """A part of the training pictures, its copies, and the trainings on them.

    Pictures and copies are made on first use, and only those copies that a training shows.
    """

    def __init__(
        self,
        pipeline: SEANPipeline,
        training: PairSource,
        chosen: Sequence[int],
        terms: AugmentationTerms,
        seed: int,
        progress: Progress,
    ) -> None:
        self._pipeline = pipeline
        self._training = training
        self._indices = {training.name(index): index for index in chosen}
        self._terms = terms
        self._seed = seed
        self._progress = progress
        self._draws = _draws(len(chosen), terms, seed)

    @cached_property
    def _pictures(self) -> _Set:
        return _Set.of([self._read(name) for name in self._indices], self._terms.size)

    @cached_property
    def _copies(self) -> dict[tuple[int, int], Tensor]:
        """By the numbers of picture and copy, those that trainings show: float32 [3, h, w] in [-1, 1].

        Copies take styles from pictures of this part only.
        """
        settings = AugmentSettings(copies=self._terms.copies, seed=self._seed)
        labels = self._pipeline.labels
        parts = {name: parts_of(self._read(name), labels.num_regions, settings) for name in self._indices}
        bank = [torch.nonzero(style.present).flatten().tolist() for style in self._pipeline.style_bank]
        book = RecipeBook(parts, labels, settings, bank)
        restyler = Restyler(self._pipeline, self._read, settings)
        copies: dict[tuple[int, int], Tensor] = {}
        shown = sorted({(draw.picture, draw.copy) for batch in self._draws for draw in batch if draw.is_copy})
        names = list(self._indices)
        last: tuple[int, Pair] | None = None
        for picture, copy in self._progress(shown, f"copies of {len(names)} pictures, seed {self._seed}", len(shown)):
            if last is None or last[0] != picture:
                last = (picture, self._read(names[picture]))
            made = restyler.copy(last[1], book.recipe(names[picture], copy + 1))
            copies[picture, copy] = image_to_tensor(resize_image(made.image, self._terms.size))
        return copies

    def _read(self, name: str) -> Pair:
        return self._training.read(self._indices[name])

    def train(self, network: str, way: str, title: str) -> nn.Module:
        """Train a network in one way; ways differ only in the pictures of a step."""
        terms, seed, labels, device = self._terms, self._seed, self._pipeline.labels, self._pipeline.device
        model = _new_segmenter(network, labels, terms, seed).to(device).train()
        segmaps = self._pictures.segmaps
        counts = torch.bincount(segmaps.flatten(), minlength=labels.num_regions + 1)[: labels.num_regions]
        weights = class_weights(counts, _LARGEST_WEIGHT).to(device)
        groups = _rates(model, _RATES[network])
        optimizer = torch.optim.AdamW(groups, weight_decay=1e-4)
        largest = [float(group["lr"]) for group in groups]
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, largest, total_steps=terms.steps + 1, pct_start=0.1)
        for step in self._progress(range(terms.steps), title, terms.steps):
            shown, truth = self._batch(way, step)
            if way in ("jitter", "both"):
                generators = [torch.Generator().manual_seed(seed * 1_000_003 + step * 101 + i) for i in range(_BATCH)]
                shown, truth = augment(shown, truth, terms.size, labels.num_regions, generators, _JITTER)
            losses = parser_losses(model(shown.to(device)), truth.to(device), weights)
            optimizer.zero_grad(set_to_none=True)
            torch.stack(list(losses.values())).sum().backward()
            optimizer.step()
            schedule.step()
        return model.eval()

    def _batch(self, way: str, step: int) -> tuple[Tensor, Tensor]:
        """The pictures of one step and their maps, some of them copies, half of them mirrored."""
        draws = self._draws[step]
        index = torch.tensor([draw.picture for draw in draws])
        images, segmaps = self._pictures.images[index], self._pictures.segmaps[index]
        if way in ("sean", "both"):
            for place, draw in enumerate(draws):
                if draw.is_copy:
                    images[place] = self._copies[draw.picture, draw.copy]
        mirrored = torch.tensor([draw.is_mirrored for draw in draws])
        table = torch.tensor(self._pipeline.labels.flip_table)
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)
        segmaps = torch.where(mirrored.view(-1, 1, 1), table[segmaps.flip(-1)], segmaps)
        return images, segmaps


@dataclass(frozen=True, kw_only=True)
class _Draw:
    """One picture of a step; ways without copies show the picture itself in a copy's place."""

    picture: int
    copy: int
    is_copy: bool
    is_mirrored: bool


def _draws(pictures: int, terms: AugmentationTerms, seed: int) -> list[list[_Draw]]:
    """The pictures of every step, the same for all ways and networks."""
    rng = np.random.default_rng([seed, 1])
    found = []
    for _ in range(terms.steps):
        picture, copy = rng.integers(pictures, size=_BATCH), rng.integers(terms.copies, size=_BATCH)
        is_copy, is_mirrored = rng.random(_BATCH) < _RESTYLED, rng.random(_BATCH) < 0.5
        columns = zip(picture.tolist(), copy.tolist(), is_copy.tolist(), is_mirrored.tolist(), strict=True)
        found.append([_Draw(picture=p, copy=c, is_copy=i, is_mirrored=m) for p, c, i, m in columns])
    return found


def _new_segmenter(name: str, labels: LabelSet, terms: AugmentationTerms, seed: int) -> nn.Module:
    """A network to train; calling it gives logits at the pictures' size."""
    if name == "segformer":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return new_segformer(labels.num_regions)
    sizes: dict[str, Any] = {"num_regions": labels.num_regions, "image_size": terms.size}
    config = PyramidParserConfig(**sizes) if name == "pyramid" else UNetParserConfig(**sizes, widths=terms.widths)
    return drawn_parser(config, seed)


def _rates(network: nn.Module, rate: float) -> list[dict[str, Any]]:
    """Parameter groups: ImageNet weights learn more slowly."""
    if not isinstance(network, PyramidParser):
        return [{"params": list(network.parameters()), "lr": rate}]
    pretrained = list(network.encoder.parameters())
    ids = {id(parameter) for parameter in pretrained}
    others = [parameter for parameter in network.parameters() if id(parameter) not in ids]
    return [{"params": others, "lr": rate}, {"params": pretrained, "lr": rate * _PRETRAINED_RATE}]


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
def _miou(network: nn.Module, test: _Set, labels: LabelSet, device: torch.device) -> float:
    matrix = torch.zeros(labels.num_regions, labels.num_regions + 1, dtype=torch.int64)
    for images, segmaps in zip(test.images.split(_BATCH), test.segmaps.split(_BATCH), strict=True):
        matrix += confusion_matrix(network(images.to(device)).argmax(dim=1).cpu(), segmaps, labels.num_regions)
    return float(segmentation_scores(matrix, labels.names)["miou"])
