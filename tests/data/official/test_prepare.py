"""What becomes of a download: exact ids, split, instances, sizes and checksums, whatever the workers and the end."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sean.data.check import check_folder
from sean.data.folder import PairedFolder
from sean.data.manifest import UNFINISHED_NAME, read_manifest
from sean.data.official.item import target_size
from sean.data.official.prepare import prepare
from sean.errors import InputError
from sean.images import read_image, resize_image, write_image
from sean.labels import ADE20K, CELEBAMASK_HQ, CITYSCAPES, CMP_FACADES, SHIPPED
from sean.segmap import resize_segmap

from .miniature import MINIATURES, ade20k, celebamask_hq, cityscapes, cmp_facades, originals


def files_of(root: Path) -> dict[str, bytes]:
    """The content of every file, by its path in the folder."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module", params=list(MINIATURES))
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """Name, download and prepared folder of each data set; read only."""
    root = tmp_path_factory.mktemp(request.param)
    source = MINIATURES[request.param](root / "download")
    result = prepare(request.param, source, root / "pairs", workers=1)
    assert result.ok and result.made == 8 and result.kept == 0
    return request.param, source, root / "pairs"


def test_every_pair_has_the_ids_of_its_scene(prepared: tuple[str, Path, Path]) -> None:
    name, _, root = prepared
    folder = PairedFolder.open(root)
    for original in originals(name):
        pair = folder.pairs([original.stem]).read(0)
        assert np.array_equal(pair.segmap, original.segmap)
        if original.instances is None:
            assert pair.instances is None
        else:
            assert pair.instances is not None and np.array_equal(pair.instances, original.instances)


def test_pictures_that_keep_their_size_are_copies(prepared: tuple[str, Path, Path]) -> None:
    name, source, root = prepared
    pictures = {path.read_bytes() for path in source.rglob("*") if path.suffix in (".jpg", ".png")}
    copies = [path.read_bytes() for path in (root / "images").iterdir()]
    assert len(copies) == 8 and pictures.issuperset(copies)
    assert {path.suffix for path in (root / "images").iterdir()} == {".png" if name == CITYSCAPES.name else ".jpg"}


def test_labels_and_split_are_those_of_the_data_set(prepared: tuple[str, Path, Path]) -> None:
    name, _, root = prepared
    folder = PairedFolder.open(root)
    assert folder.labels == SHIPPED[name]
    assert folder.labels.ignore_id == (255 if name == ADE20K.name else None)
    parts = [
        tuple(sorted(each.stem for each in originals(name) if each.validation == held_out))
        for held_out in (False, True)
    ]
    assert folder.split() == tuple(parts)
    assert folder.manifest is not None and (folder.manifest.training, folder.manifest.validation) == tuple(parts)


def test_the_manifest_has_the_checksum_of_every_file(prepared: tuple[str, Path, Path]) -> None:
    name, _, root = prepared
    manifest = read_manifest(root)
    assert manifest is not None and manifest.source == name
    assert manifest.size == {CELEBAMASK_HQ.name: 512, CITYSCAPES.name: 256}.get(name)
    content = files_of(root)
    del content["manifest.json"]
    assert dict(manifest.checksums) == {path: hashlib.sha256(data).hexdigest() for path, data in content.items()}


def test_a_prepared_folder_passes_its_check(prepared: tuple[str, Path, Path]) -> None:
    name, _, root = prepared
    report = check_folder(root)
    assert report.ok, report.text()
    held_out = sum(original.validation for original in originals(name))
    assert report.split == (8 - held_out, held_out) and f"split: {8 - held_out} training, {held_out}" in report.text()
    ignored = sum(int((original.segmap == SHIPPED[name].num_regions).sum()) for original in originals(name))
    assert report.ignored_pixels == ignored and (ignored > 0) == (name == ADE20K.name)


def test_a_finished_folder_is_left_as_it_is(prepared: tuple[str, Path, Path]) -> None:
    name, source, root = prepared
    before = files_of(root)
    result = prepare(name, source, root, workers=1, progress=lambda done, total: pytest.fail("nothing is to be done"))
    assert result.ok and (result.made, result.kept) == (0, 0) and "is prepared already" in result.text()
    assert files_of(root) == before


def test_a_finished_folder_of_another_download_is_refused(tmp_path: Path) -> None:
    source = cmp_facades(tmp_path / "download")
    (source / "extended").rename(tmp_path / "extended")
    prepare("cmp-facades", source, tmp_path / "pairs", workers=1)
    before = files_of(tmp_path / "pairs")
    (tmp_path / "extended").rename(source / "extended")
    with pytest.raises(InputError, match=r"6 files differ, the first is images/cmp_x0001\.jpg\); choose another"):
        prepare("cmp-facades", source, tmp_path / "pairs", workers=1)
    assert files_of(tmp_path / "pairs") == before
    shutil.rmtree(source)  # nothing is left to compare with
    assert "is prepared already" in prepare("cmp-facades", source, tmp_path / "pairs", workers=1).text()


def test_instances_that_were_downloaded_later_are_no_part_of_a_finished_folder(tmp_path: Path) -> None:
    prepare("ade20k", ade20k(tmp_path / "maps", instances=False), tmp_path / "pairs", workers=1)
    with pytest.raises(InputError, match="8 files differ, the first is instances/"):
        prepare("ade20k", ade20k(tmp_path / "both"), tmp_path / "pairs", workers=1)


def test_masks_smaller_than_their_picture_decide_on_the_size(tmp_path: Path) -> None:
    source = celebamask_hq(tmp_path / "download", mask_size=32)
    assert prepare("celebamask-hq", source, tmp_path / "pairs", workers=1).ok
    folder = PairedFolder.open(tmp_path / "pairs")
    for original in originals("celebamask-hq"):
        pair = folder.pairs([original.stem]).read(0)
        assert np.array_equal(pair.segmap, original.segmap[::2, ::2])
        picture = read_image(source / "CelebA-HQ-img" / f"{int(original.stem)}.jpg")
        write_image(tmp_path / "picture.jpg", resize_image(picture, (32, 32)))
        assert (tmp_path / "picture.jpg").read_bytes() == folder.images[original.stem].read_bytes()


def test_pictures_are_shrunk_to_the_shorter_side(tmp_path: Path) -> None:
    source = cityscapes(tmp_path / "download")
    assert prepare("cityscapes", source, tmp_path / "pairs", size=16, workers=1).ok
    folder = PairedFolder.open(tmp_path / "pairs")
    for original in originals("cityscapes"):
        pair = folder.pairs([original.stem]).read(0)
        assert original.instances is not None and pair.instances is not None
        assert np.array_equal(pair.image, resize_image(original.image, (16, 32)))
        assert np.array_equal(pair.segmap, resize_segmap(original.segmap, (16, 32)))
        assert np.array_equal(pair.instances, resize_segmap(original.instances, (16, 32)))
    assert folder.manifest is not None and folder.manifest.size == 16


def test_the_target_size_keeps_the_shape_and_never_enlarges() -> None:
    assert target_size((1024, 2048), 256) == (256, 512)
    assert target_size((300, 200), 256) == (300, 200)
    assert target_size((683, 512), 256) == (342, 256)
    assert target_size((1000, 3), None) == (1000, 3)


def test_ade20k_without_the_instance_download_has_no_instances(tmp_path: Path) -> None:
    source = ade20k(tmp_path / "download", instances=False)
    assert prepare("ade20k", source, tmp_path / "pairs", workers=1).ok
    assert PairedFolder.open(tmp_path / "pairs").instances is None


def test_the_folder_around_the_download_will_do(tmp_path: Path) -> None:
    ade20k(tmp_path / "download", instances=False)
    assert prepare("ade20k", tmp_path / "download", tmp_path / "pairs", workers=1).made == 8
    celebamask_hq(tmp_path / "faces")
    assert prepare("celebamask-hq", tmp_path / "faces", tmp_path / "prepared", workers=1).made == 8


def test_the_facades_in_the_folders_of_their_archives(tmp_path: Path) -> None:
    source = cmp_facades(tmp_path / "download")
    (source / "CMP_facade_DB_base").mkdir()
    (source / "base").rename(source / "CMP_facade_DB_base" / "base")
    assert prepare("cmp-facades", source, tmp_path / "both", workers=1).made == 8
    (source / "extended").rename(tmp_path / "elsewhere")
    result = prepare("cmp-facades", source, tmp_path / "base", workers=1)
    assert (result.training, result.validation) == (4, 1)


@pytest.mark.parametrize(("name", "size"), [(ADE20K.name, 32), (CMP_FACADES.name, None)])
def test_after_an_interrupt_the_result_is_the_same(tmp_path: Path, name: str, size: int | None) -> None:
    source = MINIATURES[name](tmp_path / "download")
    prepare(name, source, tmp_path / "straight", size=size, workers=1)
    root = tmp_path / "interrupted"

    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(name, source, root, size=size, workers=1, progress=interrupt)
    assert (root / UNFINISHED_NAME).is_file() and not (root / "manifest.json").exists()
    with pytest.raises(InputError, match="not prepared to the end"):
        PairedFolder.open(root)
    with pytest.raises(InputError, match="not prepared to the end"):
        check_folder(root)
    # what a killed writer leaves: a temporary file, a picture whose label map is missing, half a label map
    (root / "labels" / ".half.abcd1234.png").write_bytes(b"half")
    labels = sorted((root / "labels").glob("[!.]*.png"))
    assert len(labels) == 3
    labels[0].unlink()
    labels[1].write_bytes(labels[1].read_bytes()[:60])
    calls: list[tuple[int, int]] = []
    result = prepare(name, source, root, size=size, workers=1, progress=lambda done, total: calls.append((done, total)))
    assert (result.kept, result.made) == (1, 7) and "1 pairs were there" in result.text()
    assert calls == [(done, 8) for done in range(1, 9)]
    assert files_of(root) == files_of(tmp_path / "straight")


def test_an_end_between_manifest_and_marker_is_mended(tmp_path: Path) -> None:
    source = cmp_facades(tmp_path / "download")
    prepare("cmp-facades", source, tmp_path / "pairs", workers=1)
    before = files_of(tmp_path / "pairs")
    marker = {"source": "cmp-facades", "size": None, "download": str(source.resolve())}
    (tmp_path / "pairs" / UNFINISHED_NAME).write_text(json.dumps(marker))
    assert prepare("cmp-facades", source, tmp_path / "pairs", workers=1).kept == 8
    assert files_of(tmp_path / "pairs") == before


def test_a_mended_download_is_finished_by_the_same_call(tmp_path: Path) -> None:
    source = cmp_facades(tmp_path / "download")
    prepare("cmp-facades", source, tmp_path / "straight", workers=1)
    path = source / "base" / "cmp_b0002.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    result = prepare("cmp-facades", source, tmp_path / "pairs", workers=1)
    assert not result.ok and (result.made, result.kept) == (7, 0)
    assert "7 of 8 pairs are made" in result.text()
    path.write_bytes(whole)
    result = prepare("cmp-facades", source, tmp_path / "pairs", workers=1)
    assert result.ok and (result.made, result.kept) == (1, 7)
    assert files_of(tmp_path / "pairs") == files_of(tmp_path / "straight")


@pytest.mark.integration
def test_two_workers_make_what_one_makes(tmp_path: Path) -> None:
    source = ade20k(tmp_path / "download")
    path = source / "annotations" / "training" / "ADE_train_00000002.png"
    whole = path.read_bytes()
    Image.fromarray(np.full((64, 64), 151, dtype=np.uint8)).save(path)
    texts = []
    calls: list[tuple[int, int]] = []
    for workers in (1, 2):
        root = tmp_path / f"pairs{workers}"
        result = prepare("ade20k", source, root, size=32, workers=workers, progress=lambda *call: calls.append(call))
        texts.append(result.text().replace(str(root), ""))
    assert calls == [(done, 8) for done in range(1, 9)] * 2
    assert texts[0] == texts[1] and "has id 151" in texts[0]
    path.write_bytes(whole)
    for workers in (1, 2):
        result = prepare("ade20k", source, tmp_path / f"pairs{workers}", size=32, workers=1)
        assert result.ok and (result.made, result.kept) == (1, 7)
    assert files_of(tmp_path / "pairs1") == files_of(tmp_path / "pairs2")
