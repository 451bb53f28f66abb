"""The composite's constants: one file, from which the package and the page without a server take all of them."""

import importlib
import json
import re

import pytest

from sean.compositing.constants import CONSTANTS, shared_constants

from .javascript import SOURCES, modules, run

MODULES = json.loads(CONSTANTS.read_text())


def listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", MODULES)
def test_both_sides_take_all_constants_of_a_module(name: str) -> None:
    module = vars(importlib.import_module(f"sean.compositing.{name}"))
    wanted = MODULES[name]
    assert {key: listed(module.get(f"_{key}", module.get(key))) for key in wanted} == wanted
    script = (SOURCES / "compositing" / f"{name}.js").read_text()
    taken = re.findall(rf"const \{{([^}}]*)\}} = constants\.{name};", script)
    assert sorted(re.findall(r"\w+", " ".join(taken))) == sorted(wanted)
    assert not re.findall(rf"\b(?:{'|'.join(wanted)})\b\]? = [\d\[]", script), "a number of its own"


def test_the_page_reads_the_same_numbers() -> None:
    code = """
        const file = `${given.folder}/compositing/constants.json`;
        return (await import(file, { with: { type: "json" } })).default;
    """
    assert run(code, folder=modules().as_uri()) == MODULES
    assert shared_constants("matte") == MODULES["matte"]
