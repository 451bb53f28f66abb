"""Export of a model folder to ONNX files; all are compared with PyTorch before the first is written."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx
import torch
from torch import Tensor

from sean.errors import InputError
from sean.files import atomic_write, read_text, write_text_atomic
from sean.labels import LabelSet
from sean.models.configs import NUM_STYLED_BLOCKS
from sean.models.parsers import Parser
from sean.models.sean.model import SEANModel
from sean.models.weights import load_model, load_parser, read_safetensors
from sean.onnx.checking import Runner, Sample, generator_inputs, largest_difference, render, samples
from sean.onnx.encoder import style_encoder
from sean.onnx.generator import dense_generator, fast_generator
from sean.onnx.graph import OPSET
from sean.onnx.manifest import DENSE_NAME, ENCODER_NAME, FAST_NAME, FORMAT, MANIFEST_NAME, PARSER_NAME
from sean.onnx.parser import face_parser
from sean.onnx.precision import check_precision, in_eight_bits, in_fewer_bits
from sean.parsing.label_matching import match_labels
from sean.pretrained import BANK_NAME, CARD_NAME, LICENCE_NAME, folder_title

LARGEST_DIFFERENCE = 1e-3
"""Largest allowed difference of float32 outputs from PyTorch's."""

LARGEST_LEVELS = 2.0
"""Largest allowed difference of pictures with smaller weights, in levels of 255."""

LARGEST_SHARE = 0.01
"""Largest allowed share of pixels whose label changes in a parser with smaller weights."""

_SPDX = re.compile(r"SPDX: ([\w.+-]+)|^license: *(\S+)", re.MULTILINE)


Measure = Literal["outputs", "levels", "labels"]


@dataclass(frozen=True, kw_only=True)
class CheckedFile:
    """A file of an export, and the difference of its results from PyTorch's.

    Attributes:
        name: of the file.
        num_bytes: its size.
        difference: the largest one found.
        measure: what was compared: outputs; levels, those of 255 in pictures; or labels, the share of pixels that have
            another one.
    """

    name: str
    num_bytes: int
    difference: float
    measure: Measure


@dataclass(eq=False)
class _Network:
    """A network to export.

    Attributes:
        name: of the file.
        model: in float32.
        difference: measures the float32 model's outputs against PyTorch's.
        loss: measures the visible effect of smaller weights.
        measure: of the loss.
        largest_loss: largest value of `loss` that is allowed.
    """

    name: str
    model: onnx.ModelProto
    difference: Callable[[Runner], float]
    loss: Callable[[Runner], float]
    measure: Measure = "levels"
    largest_loss: float = LARGEST_LEVELS


def export_model(
    folder: Path,
    output: Path,
    *,
    parser: Path | None = None,
    precision: str = "fp32",
    checks: int = 4,
    version: str = "",
) -> list[CheckedFile]:
    """Write a model folder as ONNX files with a manifest.json.

    The files: encoder.onnx, generator.onnx (the fast form), generator-dense.onnx, with a parser parser.onnx; the style
    bank, the card and the terms of the model as they are.

    Args:
        folder: of a SEAN model.
        output: made when missing; written when all checks have passed.
        parser: a parser's folder; its labels must be those of the model.
        precision: of the weights: fp32; fp16; or int8, 8 bits where pictures stay within `LARGEST_LEVELS`, else 16.
        checks: how many pairs of styles and maps are compared.
        version: of the package, for the manifest.

    Raises:
        InputError: not a SEAN model, labels that do not match, another precision, or results that differ.
    """
    check_precision(precision)
    if checks < 1:
        raise InputError(f"expected at least one pair to check, got {checks}")
    model, labels = load_model(folder)
    if not isinstance(model, SEANModel):
        raise InputError(f"expected a SEAN model to export, got {model.config.architecture} in {folder}")
    bank = read_safetensors(folder / BANK_NAME)["codes"].float() if (folder / BANK_NAME).is_file() else None
    pairs = list(samples(model, checks, bank))
    networks = [*_generators(model, pairs), _encoder(model, pairs)]
    parser_size: tuple[int, int] | None = None
    if parser is not None:
        network, own_labels = load_parser(parser)
        ids = match_labels(f"the parser {folder_title(parser)}", own_labels.names, labels).ids
        parser_size = network.config.image_size
        networks.append(_parser(network, labels, ids, pairs))
    description = {
        "format": FORMAT,
        "model": folder_title(folder),
        "sean_version": version,
        "opset": OPSET,
        "precision": precision,
        "image_size": list(model.config.image_size),
        "num_blocks": NUM_STYLED_BLOCKS,
        "code_dim": model.code_dim,
        "instance_edges": model.config.instance_edges,
        "parser_size": None if parser_size is None else list(parser_size),
        "licence": _licence(folder),
        "labels": labels.to_dict() | {"colors": [list(color) for color in labels.colors]},
    }
    finished = []
    for each in networks:
        converted, checked = _checked(each, precision)
        _describe(converted, description)
        finished.append((converted.SerializeToString(), checked))
    return _write(output, folder, finished, description)


def _generators(model: SEANModel, pairs: list[Sample]) -> list[_Network]:
    pictures = [render(model, pair) for pair in pairs]

    def difference(runner: Runner, fast: bool) -> float:
        return max(
            largest_difference(runner(**generator_inputs(pair, model.config.num_regions, fast=fast))[0], picture)
            for pair, picture in zip(pairs, pictures, strict=True)
        )

    def network(name: str, built: onnx.ModelProto, fast: bool) -> _Network:
        return _Network(name, built, lambda r: difference(r, fast), lambda r: 127.5 * difference(r, fast))

    generator = model.generator
    return [
        network(FAST_NAME, fast_generator(generator).model(), True),
        network(DENSE_NAME, dense_generator(generator).model(), False),
    ]


def _encoder(model: SEANModel, pairs: list[Sample]) -> _Network:
    with torch.inference_mode():
        expected = [model.encode(pair.image, pair.segmap) for pair in pairs]

    def codes(runner: Runner, pair: Sample) -> tuple[Tensor, Tensor]:
        found, present = runner(image=pair.image.numpy(), segmap=pair.segmap.int().numpy())
        return found, present

    def difference(runner: Runner) -> float:
        worst = 0.0
        for pair, (right, present) in zip(pairs, expected, strict=True):
            found, found_present = codes(runner, pair)
            worst = max(
                worst, largest_difference(found, right) if torch.equal(present, found_present) else float("inf")
            )
        return worst

    @torch.inference_mode()
    def loss(runner: Runner) -> float:
        """The loss of pictures rendered with these codes."""
        return 127.5 * max(
            largest_difference(
                model.render(pair.segmap, codes(runner, pair)[0], edges=pair.edges),
                model.render(pair.segmap, right, edges=pair.edges),
            )
            for pair, (right, _) in zip(pairs, expected, strict=True)
        )

    return _Network(ENCODER_NAME, style_encoder(model.style_encoder).model(), difference, loss)


def _parser(parser: Parser, labels: LabelSet, ids: tuple[int, ...], pairs: list[Sample]) -> _Network:
    built = face_parser(parser, labels, ids).model()
    height, width = parser.config.image_size
    photos = [torch.nn.functional.interpolate(pair.image, size=(height, width)) for pair in pairs]
    k = labels.num_regions

    @torch.inference_mode()
    def logits(photo: Tensor) -> Tensor:
        """PyTorch's logits of every label and of "none"."""
        own = parser(photo)
        found = own.new_full((len(own), k + 1, *own.shape[2:]), -1e4)
        for label in set(ids):
            found[:, label] = own[:, [mine for mine, other in enumerate(ids) if other == label]].logsumexp(dim=1)
        return found

    expected = [(logits(each) + logits(each.flip(-1)).flip(-1)[:, list(labels.flip_table)]) / 2 for each in photos]

    def difference(runner: Runner) -> float:
        return max(
            largest_difference(runner(image=photo.numpy())[0], right)
            for photo, right in zip(photos, expected, strict=True)
        )

    def loss(runner: Runner) -> float:
        other = [
            (runner(image=photo.numpy())[1] != right.argmax(dim=1)).double().mean()
            for photo, right in zip(photos, expected, strict=True)
        ]
        return float(max(other))

    return _Network(PARSER_NAME, built, difference, loss, "labels", LARGEST_SHARE)


def _checked(network: _Network, precision: str) -> tuple[onnx.ModelProto, CheckedFile]:
    """The network in a precision and its difference; InputError if the difference is too large."""
    measure: Measure = "outputs"
    model = network.model
    difference = network.difference(Runner(model))
    if difference > LARGEST_DIFFERENCE:
        raise InputError(
            f"{network.name} differs from PyTorch by {difference:.1e}, expected at most {LARGEST_DIFFERENCE}; nothing "
            "was written. This is a mistake of sean or of onnxruntime: please report it with the versions of both"
        )
    if precision != "fp32":
        measure = network.measure
        if precision == "fp16":
            model = in_fewer_bits(model)
        else:
            model = in_eight_bits(model, lambda smaller: network.loss(Runner(smaller)) <= network.largest_loss)
        difference = network.loss(Runner(model))
        if difference > network.largest_loss:
            raise InputError(
                f"{network.name} in {precision} loses {difference:.2g} ({measure}), expected at most "
                f"{network.largest_loss}; nothing was written. Export this model in fp32"
            )
    return model, CheckedFile(name=network.name, num_bytes=model.ByteSize(), difference=difference, measure=measure)


def _describe(model: onnx.ModelProto, description: dict[str, Any]) -> None:
    """Add metadata to a file: strings as they are, other values as JSON."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in description.items()}
    onnx.helper.set_model_props(model, {f"sean.{key}": text for key, text in texts.items()})


def _write(
    output: Path, folder: Path, finished: list[tuple[bytes, CheckedFile]], description: dict[str, Any]
) -> list[CheckedFile]:
    """All files, the manifest last."""
    files, result = {}, []
    for data, checked in finished:
        with atomic_write(output / checked.name) as temporary:
            temporary.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        result.append(CheckedFile(**{**vars(checked), "num_bytes": len(data)}))
        files[checked.name] = {
            "bytes": len(data),
            "sha256": digest,
            "difference": checked.difference,
            "measure": checked.measure,
        }
    for name in (BANK_NAME, CARD_NAME, LICENCE_NAME):
        if (folder / name).is_file():
            with atomic_write(output / name) as temporary:
                shutil.copyfile(folder / name, temporary)
    kept = {*files, *(name for name in (BANK_NAME, CARD_NAME, LICENCE_NAME) if (folder / name).is_file())}
    for name in (ENCODER_NAME, FAST_NAME, DENSE_NAME, PARSER_NAME, BANK_NAME, CARD_NAME, LICENCE_NAME):
        if name not in kept:  # of another model, which was exported to this folder before
            (output / name).unlink(missing_ok=True)
    write_text_atomic(output / MANIFEST_NAME, json.dumps({**description, "files": files}, indent=1) + "\n")
    return result


def _licence(folder: Path) -> str:
    """The SPDX name of a model's terms, from its LICENSE or the head of its card; else "unknown"."""
    for name in (LICENCE_NAME, CARD_NAME):
        if (folder / name).is_file():
            found = _SPDX.search(read_text(folder / name))
            if found:
                return next(group for group in found.groups() if group)
    return "unknown"
