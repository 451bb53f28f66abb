"""The tables of a made-up result, with every ratio computed by hand."""

from typing import Any

import pytest

from sean.bench.report import as_markdown

MACHINE = {
    "processor": "Abacus 9000",
    "threads": 2,
    "torch": "2.9",
    "python": "3.12",
    "num_regions": 19,
    "image_size": [128, 256],
    "style_dim": 512,
    "base_channels": 64,
    "rounds": 5,
    "segmaps": "drawn",
}
RENDERING = {
    "convolutions alone": 0.25,
    "repeat": 0.3,
    "new style": 0.35,
    "new segmap": 0.4,
    "new segmap and style": 0.5,
    "brush stroke": 0.32,
    "plan alone": 0.02,
    "plan of a stroke": 0.004,
    "dense: new segmap and style": 6.0,
}
ENCODER = {"encoder": 0.2, "encoder, layer by layer": 0.3, "encoder, published order": 0.5}
GMAC = {
    "convolutions alone": 42.13,
    "repeat": 42.13,
    "new style": 43.0,
    "new segmap": 48.0,
    "new segmap and style": 49.0,
    "brush stroke": 42.5,
    "dense: new segmap and style": 950.0,
    "encoder": 10.0,
    "encoder, layer by layer": 10.0,
    "encoder, published order": 11.5,
}


def make_result() -> dict[str, Any]:
    return {
        "machine": MACHINE,
        "rendering": RENDERING,
        "encoder": ENCODER,
        "noise": {"new segmap and style": 4.5, "dense: new segmap and style": 6.0},
        "gmac": GMAC,
    }


def with_training() -> dict[str, Any]:
    return {
        **make_result(),
        "training": {"fast": 2.0, "dense": 31.0, "convolutions alone": 0.8},
        "noise training": {"fast": 12.0, "dense": 30.0},
        "memory": {"fast": 3 * 2**29, "dense": 5 * 2**30},
    }


def with_growth() -> dict[str, Any]:
    def point(name: str, pixels: int, patches: int, *seconds: float) -> dict[str, Any]:
        cases = ("convolutions alone", "repeat", "new segmap and style")
        return {"name": name, "pixels": pixels, "patches": patches, "seconds": dict(zip(cases, seconds, strict=True))}

    return {
        **make_result(),
        "sizes": [point("100 px", 10_000, 700, 0.01, 0.02, 0.04), point("1000 px", 10**6, 9000, 1.1, 1.5, 2.6)],
        "labels": [
            point("19 labels", 10_000, 700, 0.01, 0.02, 0.04),
            point("150 labels", 10_000, 710, 0.01, 0.02, 0.05),
        ],
    }


def tables(text: str) -> dict[str, dict[str, list[str]]]:
    """Heading -> first cell -> the other cells; a table's header goes by the name "header"."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in text.splitlines():
        if line.startswith("### "):
            found[line.removeprefix("### ")] = rows = {}
        elif line.startswith("| "):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            rows[name or "header"] = cells
    return found


def test_heading() -> None:
    heading = as_markdown(make_result()).splitlines()[0]
    for part in ("Abacus 9000", "2 threads", "torch 2.9", "Python 3.12", "width 64", "19 labels", "128 x 256 pixels"):
        assert part in heading
    assert "segmaps: drawn" in heading
    assert "5 rounds" in heading


def test_one_picture() -> None:
    table = tables(as_markdown(make_result()))["One picture"]
    assert table["header"] == ["ms", "of the floor", "dense / this", "GMAC"]
    assert table["convolutions alone"] == ["250.0", "1.00", "24.0", "42.1"]
    assert table["repeat"] == ["300.0", "1.20", "20.0", "42.1"]
    assert table["new style"] == ["350.0", "1.40", "17.1", "43.0"]
    assert table["new segmap"] == ["400.0", "1.60", "15.0", "48.0"]
    assert table["new segmap and style"] == ["500.0", "2.00", "12.0", "49.0"]
    assert table["brush stroke"] == ["320.0", "1.28", "18.8", "42.5"]
    assert table["plan alone"][:2] == ["20.0", "0.08"]
    assert table["plan of a stroke"][:2] == ["4.0", "0.02"]
    assert table["dense: new segmap and style"] == ["6000", "24.00", "1.0", "950.0"]
    # encoder and rendering together
    for name, cells in {"reconstruction": ["700.0", "59.0"], "dense: reconstruction": ["6500", "961.5"]}.items():
        assert [table[name][0], table[name][3]] == cells


def test_a_reconstruction_is_compared_with_the_dense_reconstruction() -> None:
    table = tables(as_markdown(make_result()))["One picture"]
    assert table["reconstruction"][2] == "9.3"  # 6.5 / 0.7
    assert table["dense: reconstruction"][2] == "1.0"


def test_encoder() -> None:
    assert tables(as_markdown(make_result()))["Style encoder"] == {
        "header": ["ms", "this / fast", "GMAC"],
        "encoder": ["200.0", "1.00", "10.0"],
        "encoder, layer by layer": ["300.0", "1.50", "10.0"],
        "encoder, published order": ["500.0", "2.50", "11.5"],
    }


def test_noise() -> None:
    header, rendering = ["fast, ms", "dense, ms", "fast / dense"], ["4500", "6000", "0.75"]
    table = tables(as_markdown(make_result()))["A segmap of pixel noise"]
    assert table == {"header": header, "rendering": rendering}
    table = tables(as_markdown(with_training()))["A segmap of pixel noise"]
    assert table == {"header": header, "rendering": rendering, "training step": ["12000", "30000", "0.40"]}


def test_training() -> None:
    found = tables(as_markdown(with_training()))
    assert list(found)[-1].startswith("One training step")
    assert found[list(found)[-1]] == {
        "header": ["ms", "dense / this", "peak memory, GiB"],
        "fast": ["2000", "15.50", "1.50"],
        "dense": ["31000", "1.00", "5.00"],
        "convolutions alone": ["800.0", "38.75", ""],
    }


@pytest.mark.parametrize("memory", [{}, {"fast": None, "dense": None}])
def test_memory_that_the_system_did_not_tell_is_left_out(memory: dict[str, None]) -> None:
    found = tables(as_markdown({**with_training(), "memory": memory}))
    assert found[list(found)[-1]]["dense"] == ["31000", "1.00", ""]


def test_growth() -> None:
    found = tables(as_markdown(with_growth()))
    header = ["5x5 patches", "floor, ms", "repeat, ms", "new segmap and style, ms"]
    assert found["Size of the picture"] == {
        "header": [*header, "repeat, us/pixel", "new, us/pixel", "new / first row"],
        "100 px": ["700", "10.0", "20.0", "40.0", "2.00", "4.00", "1.00"],
        "1000 px": ["9000", "1100", "1500", "2600", "1.50", "2.60", "65.00"],
    }
    assert found["Number of labels"]["150 labels"] == ["710", "10.0", "20.0", "50.0", "2.00", "5.00", "1.25"]


def test_parts_that_were_not_measured_are_left_out() -> None:
    always = ["One picture", "Style encoder", "A segmap of pixel noise"]
    assert list(tables(as_markdown(make_result()))) == always
    assert list(tables(as_markdown(with_growth()))) == [*always, "Size of the picture", "Number of labels"]


def test_tables_are_aligned() -> None:
    blocks = as_markdown({**with_training(), **with_growth()}).split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("|")]
    assert len(tables) == 6
    for lines in tables:
        assert len({len(line) for line in lines}) == 1
        assert lines[1].replace("-", "") == "|" + "|" + ":|" * (lines[0].count("|") - 2)
