"""Edits in JavaScript against those of the package: maps, instances, styles, and the codes that are rendered."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from sean.editing.edits import (
    Edit,
    Erase,
    Fill,
    Paint,
    Polygon,
    ReplaceLabel,
    ResetSegmap,
    SetStyle,
    SplitRegion,
    new_edit,
)
from sean.editing.photo_composite import PhotoComposite
from sean.editing.sources import Sources
from sean.editing.state import Base, EditorState, applied, new_state, render_styles
from sean.editing.styles import StyleCodes, save_style_codes
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ
from sean.parsing.photo import Photo

from .javascript import run

K, DIM, BLOCKS, SIZE = CELEBAMASK_HQ.num_regions, 6, 6, (48, 40)


def random_edits(rng: np.random.Generator, count: int) -> list[Edit]:
    names = ["hair", "skin", "cloth", "background"]

    def point(low: float = 0.0, high: float = 1.0) -> list[float]:
        return [round(float(value), 5) for value in rng.uniform(low, high, 2)]

    def places(number: int) -> list[list[float]]:
        return [point(-0.3, 1.3) for _ in range(number)]

    makers = [
        lambda: new_edit(Paint, points=places(rng.integers(1, 5)), radius=float(rng.uniform(0.001, 0.3)), label="hair"),
        lambda: new_edit(Paint, points=places(2), radius=0.1, label="skin", keep=["eyes", "hair"]),
        lambda: new_edit(Polygon, points=places(rng.integers(3, 7)), label="cloth"),
        lambda: new_edit(Erase, points=places(3), radius=0.15),
        lambda: new_edit(Fill, point=point(), label=str(rng.choice(names))),
        lambda: new_edit(SplitRegion, point=point()),
        lambda: new_edit(SetStyle, source="bank:1", regions=["hair"], strength=0.3, blocks=[0, 3]),
        lambda: new_edit(SetStyle, source="bank:0", regions=["hair"], instance=1, strength=0.8),
        lambda: new_edit(SetStyle, source="mean", regions=["face"]),
        lambda: new_edit(SetStyle, source="region:hair", regions=["skin", "cloth"], blocks=[2]),
        lambda: new_edit(SetStyle, source="own", regions=["hair"], blocks=[0]),
        lambda: new_edit(SetStyle, source="bank:1"),
        lambda: new_edit(ReplaceLabel, old="cloth", new="hair"),
        lambda: new_edit(ResetSegmap),
    ]
    weights = np.array([6, 3, 3, 3, 3, 4, 2, 2, 1, 1, 1, 0.5, 0.5, 0.2])
    return [makers[int(rng.choice(len(makers), p=weights / weights.sum()))]() for _ in range(count)]


def random_styles(rng: np.random.Generator) -> StyleCodes:
    codes = torch.from_numpy(rng.uniform(-1, 1, (K, DIM)).astype(np.float32))
    present = torch.from_numpy(rng.random(K) < 0.8) | (torch.arange(K) == CELEBAMASK_HQ.id_of("hair"))
    return StyleCodes(codes * present[:, None], present, CELEBAMASK_HQ)


def done_in_python(state: EditorState, edits: list[Edit], base: Base) -> tuple[EditorState, list[bool]]:
    refused = []
    for edit in edits:
        try:
            state = applied(state, edit, base)
            refused.append(False)
        except InputError:
            refused.append(True)
    return state, refused


def as_given(styles: StyleCodes) -> dict[str, Any]:
    return {"codes": styles.codes.numpy(), "present": styles.present.numpy()[:, None], "colours": None}


@pytest.mark.parametrize("seed", range(4))
def test_maps_styles_and_codes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    segmap = rng.choice([0, 1, 13, 18, K], size=(6, 5)).repeat(8, axis=0).repeat(8, axis=1)
    own, *bank = (random_styles(rng) for _ in range(3))
    sources = Sources(CELEBAMASK_HQ, DIM, bank)
    sources.own = own
    base = Base(state=new_state(segmap), sources=sources, num_blocks=BLOCKS)
    edits = random_edits(rng, 60)
    state, refused = done_in_python(base.state, edits, base)
    assert True in refused or seed, "refusals are compared too"
    found = run(
        """
        const { Labels } = await load("labels.js");
        const { Sources } = await load("sources.js");
        const { applied, newState, regionsOf, renderStyles } = await load("state.js");
        const { Problem } = await load("problem.js");
        const flat = ({ codes, present }) => ({ codes: codes.data, present: present.data, colours: null });
        const sources = new Sources(new Labels(given.labels), given.dim, given.bank.map(flat), null, false);
        sources.own = flat(given.own);
        const base = { state: newState(given.segmap.data), sources, size: given.segmap, blocks: given.blocks };
        let state = base.state;
        const refused = given.edits.map((edit) => {
            try {
                state = applied(state, edit, base);
                return false;
            } catch (problem) {
                if (!(problem instanceof Problem)) throw problem;
                return true;
            }
        });
        const rendered = renderStyles(state, base);
        return {
            segmap: Int32Array.from(state.segmap), instances: Int32Array.from(state.instances), refused, rendered,
            styles: Object.fromEntries(state.styles), regions: regionsOf(state, base),
        };
        """,
        labels={**CELEBAMASK_HQ.to_dict(), "colors": CELEBAMASK_HQ.colors, "groups": CELEBAMASK_HQ.groups},
        dim=DIM,
        blocks=BLOCKS,
        bank=[as_given(styles) for styles in bank],
        own=as_given(own),
        segmap=segmap,
        edits=[edit.to_json() for edit in edits],
    )
    assert found["refused"] == refused
    assert np.array_equal(found["segmap"].reshape(SIZE), state.segmap)
    assert np.array_equal(found["instances"].reshape(SIZE), state.instances)
    settings = {
        f"{label}:{number}": [None if each is None else list(each) for each in blocks]
        for (label, number), blocks in state.styles.items()
    }
    assert found["styles"] == settings
    regions = [(region.label, region.instance, region.area) for region in base.regions(state)]
    assert [(each["label"], each["instance"], each["area"]) for each in found["regions"]] == regions
    wanted = render_styles(state, base)
    codes = np.stack([[style.codes.numpy() for style in variant] for variant in wanted.variants])
    assert found["rendered"]["count"] == len(wanted.variants)
    assert np.abs(found["rendered"]["codes"].reshape(codes.shape) - codes).max() < 1e-6
    if wanted.numbers is not None:
        assert np.array_equal(found["rendered"]["variants"].reshape(SIZE), wanted.numbers)


@pytest.mark.parametrize("painted", [False, True])
@pytest.mark.parametrize("source", ["bank:0", "#204080"])
def test_a_style_in_a_photo(rng: np.random.Generator, source: str, painted: bool) -> None:
    """Of a style in the bank a region takes not the mean itself; also what is drawn anew takes the colour."""
    noise = ndimage.gaussian_filter(rng.random((96, 80, 3)), (3, 3, 0))
    photo = (255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)
    segmap = np.where(noise[::2, ::2, 0] > 0.5, 13, 1)
    own, model = random_styles(rng), replace(random_styles(rng), present=torch.ones(K, dtype=torch.bool))
    colours = rng.uniform(0, 255, (K, 3)).astype(np.float32)
    known = torch.from_numpy(colours)
    sources = Sources(CELEBAMASK_HQ, DIM, [replace(model, mean_colours=known)], lambda: known[None])
    sources.own = own
    base = Base(state=new_state(segmap), sources=sources, num_blocks=BLOCKS)
    edits: list[Edit] = [new_edit(SetStyle, source=source, regions=["hair", "cloth"], strength=0.9)]
    if painted:  # clothes, which the photo lacks, take the colour of the style itself
        edits += [
            new_edit(Paint, points=[[0.2, 0.2], [0.8, 0.8]], radius=0.1, label=label) for label in ("hair", "cloth")
        ]
    state, refused = done_in_python(base.state, edits, base)
    assert not any(refused)
    pictures = rng.integers(0, 256, (2, 48, 40, 3), dtype=np.uint8)
    wanted = PhotoComposite(Photo(image=photo), segmap, lambda: pictures[0]).with_edits(
        state, base, lambda: pictures[1]
    )
    found = run(
        """
        const { Labels } = await load("labels.js");
        const { Sources } = await load("sources.js");
        const { applied, newState } = await load("state.js");
        const { PhotoComposite, placeOf } = await load("photo_composite.js");
        const flat = ({ codes, present, colours }) => {
            return { codes: codes.data, present: present.data, colours: colours?.data ?? null };
        };
        const colours = async () => [given.bank[0].colours.data];
        const sources = new Sources(new Labels(given.labels), given.dim, given.bank.map(flat), colours, false);
        sources.own = flat(given.own);
        await sources.prepare(given.source);
        const base = { state: newState(given.segmap.data), sources, size: given.segmap, blocks: given.blocks };
        const state = given.edits.reduce((state, edit) => applied(state, edit, base), base.state);
        const photo = { image: given.photo, crop: null };
        const around = async () => ({ frame: placeOf(photo), ids: given.segmap });
        const composite = new PhotoComposite(photo, given.segmap, async () => given.before, around);
        return composite.withEdits(state, base, async () => given.after);
        """,
        labels={**CELEBAMASK_HQ.to_dict(), "colors": CELEBAMASK_HQ.colors, "groups": CELEBAMASK_HQ.groups},
        dim=DIM,
        blocks=BLOCKS,
        bank=[{**as_given(model), "colours": colours}],
        own=as_given(own),
        segmap=segmap,
        edits=[edit.to_json() for edit in edits],
        photo=photo,
        before=pictures[0],
        after=pictures[1],
        source=source,
    )
    assert (wanted != photo).mean() > 0.2
    assert np.abs(found["data"].reshape(photo.shape).astype(int) - wanted).max() <= 2


def test_a_bank_is_read(tmp_path: Any, rng: np.random.Generator) -> None:
    styles = [random_styles(rng) for _ in range(3)]
    save_style_codes(tmp_path / "bank.safetensors", styles, dtype=torch.float16)
    data = np.frombuffer((tmp_path / "bank.safetensors").read_bytes(), np.uint8)[None]
    found = run(
        """
        const { readBank } = await load("bank.js");
        return readBank(given.data.data.buffer, given.count, given.dim);
        """,
        data=data,
        count=K,
        dim=DIM,
    )
    for one, styles_found in zip(styles, found, strict=True):
        assert np.array_equal(styles_found["codes"].reshape(K, DIM), one.codes.half().float().numpy())
        assert np.array_equal(styles_found["present"], one.present.numpy())


def test_history_takes_back_and_does_again() -> None:
    found = run(
        """
        const { History } = await load("history.js");
        const history = new History(0, (state, edit) => {
            if (edit < 0) throw new Error("no");
            return state * 3 + edit;
        });
        for (let i = 0; i < 150; i++) history.push(i % 7);
        const last = history.state;
        for (let i = 0; i < 120; i++) history.undo();
        const back = history.state;
        for (let i = 0; i < 120; i++) history.redo();
        const again = history.state;
        history.undo();
        try { history.push(-1); } catch { /* nothing has changed */ }
        return { isSame: again === last, back, canRedo: history.canRedo, position: history.position };
        """
    )
    expected = 0
    for number in range(30):
        expected = expected * 3 + number % 7
    assert found == {"isSame": True, "back": expected, "canRedo": True, "position": 149}
