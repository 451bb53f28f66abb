"""Results as markdown tables, readable in a terminal and in the docs."""

from collections.abc import Iterable, Sequence
from typing import Any

from sean.bench.rendering import (
    BOTH,
    DENSE,
    ENCODER,
    ENCODER_NAIVE,
    FLOOR,
    REPEAT,
)
from sean.bench.training import DENSE as DENSE_STEP
from sean.bench.training import FAST as FAST_STEP


def as_markdown(result: dict[str, Any]) -> str:
    """The tables of a result of `sean.bench.suite`; parts that were not measured are left out."""
    if "busy" in result:
        return "\n\n".join([_heading(result["machine"]), _busy(result["busy"])])
    parts = [_heading(result["machine"]), _rendering(result), _encoder(result), _noise(result)]
    if "precision" in result:
        parts.append(_precision(result["precision"]))
    if "training" in result:
        parts.append(_training(result))
    if "sizes" in result:
        parts.append(_growth("### Size of the picture", result["sizes"]))
        parts.append(_growth("### Number of labels", result["labels"]))
    return "\n\n".join(parts)


def _heading(machine: dict[str, Any]) -> str:
    height, width = machine["image_size"]
    return (
        f"{machine['processor']}, {machine['threads']} threads, torch {machine['torch']}, "
        f"Python {machine['python']}; base width {machine['base_channels']}, {machine['num_regions']} labels, "
        f"{height} x {width} pixels, batch 1, segmaps: {machine['segmaps']}; medians of {machine['rounds']} rounds."
    )


def _rendering(result: dict[str, Any]) -> str:
    seconds, gmac = result["rendering"], result["gmac"]
    encoding, dense_encoding = result["encoder"][ENCODER], result["encoder"][ENCODER_NAIVE]
    seconds = {
        **seconds,
        "reconstruction": seconds[BOTH] + encoding,
        "dense: reconstruction": seconds[DENSE] + dense_encoding,
    }
    gmac = {
        **gmac,
        "reconstruction": gmac[BOTH] + gmac[ENCODER],
        "dense: reconstruction": gmac[DENSE] + gmac[ENCODER_NAIVE],
    }
    rows = []
    for name, value in seconds.items():
        dense = seconds["dense: reconstruction" if name.endswith("reconstruction") else DENSE]
        rows.append(
            [name, _ms(value), f"{value / seconds[FLOOR]:.2f}", f"{dense / value:.1f}", f"{gmac.get(name, 0):.1f}"]
        )
    return "### One picture\n\n" + _table(["", "ms", "of the floor", "dense / this", "GMAC"], rows)


def _encoder(result: dict[str, Any]) -> str:
    seconds, gmac = result["encoder"], result["gmac"]
    rows = [
        [name, _ms(value), f"{value / seconds[ENCODER]:.2f}", f"{gmac[name]:.1f}"] for name, value in seconds.items()
    ]
    return "### Style encoder\n\n" + _table(["", "ms", "this / fast", "GMAC"], rows)


def _noise(result: dict[str, Any]) -> str:
    cases = {"rendering": (result["noise"][BOTH], result["noise"][DENSE])}
    if "noise training" in result:
        cases["training step"] = (result["noise training"][FAST_STEP], result["noise training"][DENSE_STEP])
    rows = [[name, _ms(fast), _ms(dense), f"{fast / dense:.2f}"] for name, (fast, dense) in cases.items()]
    return "### A segmap of pixel noise\n\n" + _table(["", "fast, ms", "dense, ms", "fast / dense"], rows)


def _precision(result: dict[str, Any]) -> str:
    rows = [
        [name, _ms(wide), _ms(narrow), f"{narrow / wide:.2f}"] for name, (wide, narrow) in result["seconds"].items()
    ]
    difference = (
        f"Of {result['pictures']} pictures: {result['largest']:.2f}/255 at most from float32, {result['mean']:.2f}/255 "
        "in the mean, before rounding."
    )
    header = ["", "float32, ms", f"{result['dtype']}, ms", f"{result['dtype']} / float32"]
    return f"### In {result['dtype']}\n\n" + _table(header, rows) + f"\n\n{difference}"


def _training(result: dict[str, Any]) -> str:
    seconds, memory = result["training"], result["memory"]
    rows = []
    for name, value in seconds.items():
        peak = memory.get(name)
        rows.append(
            [name, _ms(value), f"{seconds[DENSE_STEP] / value:.2f}", "" if peak is None else f"{peak / 2**30:.2f}"]
        )
    return "### One training step of the generator, batch 2, forward and backward\n\n" + _table(
        ["", "ms", "dense / this", "peak memory, GiB"], rows
    )


def _growth(title: str, points: Sequence[dict[str, Any]]) -> str:
    first = points[0]["seconds"]
    rows = [
        [
            point["name"],
            str(point["patches"]),
            *(_ms(point["seconds"][case]) for case in (FLOOR, REPEAT, BOTH)),
            *(f"{point['seconds'][case] / point['pixels'] * 1e6:.2f}" for case in (REPEAT, BOTH)),
            f"{point['seconds'][BOTH] / first[BOTH]:.2f}",
        ]
        for point in points
    ]
    columns = ["", "5x5 patches", "floor, ms", "repeat, ms", "new segmap and style, ms", "repeat, us/pixel"]
    return f"{title}\n\n" + _table([*columns, "new, us/pixel", "new / first row"], rows)


def _busy(cases: dict[str, dict[str, float]]) -> str:
    rows = [[name, _ms(t["quiet"]), _ms(t["busy"]), f"{t['busy'] / t['quiet']:.1f}"] for name, t in cases.items()]
    return "### With another program on one core\n\n" + _table(["", "without, ms", "with, ms", "with / without"], rows)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}" if seconds < 1 else f"{seconds * 1e3:.0f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table with aligned columns: the first one left, numbers right."""
    table = [list(header), *map(list, rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(header))]
    lines = [
        "| "
        + " | ".join(
            f"{cell:<{w}}" if not i else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in table
    ]
    rule = "|" + "|".join("-" * (w + 2) if not i else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
