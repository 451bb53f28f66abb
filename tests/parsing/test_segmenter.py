"""Label maps of photos: sizes, mirroring, labels that stand for one, and parsers by name."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sean import pretrained
from sean.errors import InputError
from sean.images import image_to_tensor, resize_image
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.models.configs import UNetParserConfig
from sean.models.parsers import UNetParser
from sean.models.weights import save_parser
from sean.parsing.label_matching import LabelMapping, LabelMatch
from sean.parsing.segmenter import Segmenter, enlarged_argmax

CPU = torch.device("cpu")
SIDES = LabelSet(name="sides", names=("ground", "l_x", "r_x"), flip_pairs=((1, 2),))


class Answers:
    """A network that gives the answers prepared for it, one after the other, and keeps the pictures."""

    def __init__(self, *answers: Tensor) -> None:
        self.answers = list(answers)
        self.seen: list[Tensor] = []

    def __call__(self, image: Tensor) -> Tensor:
        self.seen.append(image)
        return self.answers.pop(0)


def segmenter(network: Answers, labels: LabelSet, ids: tuple[int, ...] = (0, 1, 2)) -> Segmenter:
    return Segmenter(network, labels, LabelMatch(ids=ids), size=(2, 4), name="answers")


def answer(*rows: list[float]) -> Tensor:
    """Logits [1, n, 2, 4], equal in both rows of the picture."""
    return torch.tensor(rows).view(1, len(rows), 1, 4).expand(1, len(rows), 2, 4).clone()


def test_both_directions_are_averaged(rng: np.random.Generator) -> None:
    direct = answer([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 2.5], [0.0, 0.0, 0.0, 0.0])
    mirrored = answer([1.0, 1.0, 1.0, 1.0], [5.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.5, 0.0])
    network = Answers(direct, mirrored)
    image = rng.integers(0, 256, (2, 4, 3), dtype=np.uint8)
    # turned back: label r_x 5 in the last column, l_x 1.5 in the second; with the direct 0 that is 0.75 < 1
    assert segmenter(network, SIDES).segmap(image).tolist() == [[0, 0, 0, 2]] * 2
    assert torch.equal(network.seen[0][0], image_to_tensor(image))
    assert torch.equal(network.seen[1], network.seen[0].flip(-1))


def test_labels_that_stand_for_one_add_up() -> None:
    logits = answer([1.0, 1.0, 1.0, 0.0], [0.6, 0.2, 0.0, 0.0], [0.6, 0.2, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0])
    # log(2 e^0.6) = 1.29 and log(2 e^0.2) = 0.89; the last label stands for none of them
    labels = LabelSet(name="s", names=("a", "b", "c"))
    parser = segmenter(Answers(logits, logits.flip(-1)), labels, ids=(0, 1, 1, 3))
    assert parser.segmap(np.zeros((2, 4, 3), np.uint8)).tolist() == [[1, 0, 0, 3]] * 2


def test_logits_are_enlarged_before_the_largest_is_taken() -> None:
    logits = torch.tensor([[3.0, 0.0], [0.0, 1.0]]).view(1, 2, 1, 2)
    # at the middles t = 0, 0, 1/8, 3/8, 5/8, 7/8, 1, 1 between both columns the first wins where 3 - 4 t > 0
    assert enlarged_argmax(logits, (1, 8)).tolist() == [[[0, 0, 0, 0, 0, 1, 1, 1]]]
    random = torch.randn(2, 5, 6, 4)
    whole = F.interpolate(random, size=(9, 13), mode="bilinear").argmax(dim=1)
    assert torch.equal(enlarged_argmax(random, (9, 13)), whole)


def parser_folder(folder: Path) -> UNetParser:
    torch.manual_seed(0)
    parser = UNetParser(UNetParserConfig(num_regions=19, image_size=(32, 32), widths=(2, 2, 2, 2, 2, 2))).eval()
    save_parser(folder, parser, CELEBAMASK_HQ)
    return parser


@torch.no_grad()
def test_a_parser_folder(tmp_path: Path, rng: np.random.Generator) -> None:
    network = parser_folder(tmp_path / "parser")
    parser = Segmenter.from_pretrained(str(tmp_path / "parser"), CELEBAMASK_HQ, CPU)
    assert parser.size == (32, 32) and parser.labels is CELEBAMASK_HQ
    image = rng.integers(0, 256, (40, 70, 3), dtype=np.uint8)
    small = image_to_tensor(resize_image(image, (32, 32)))[None]
    order = [0, 1, 2, 3, 5, 4, 7, 6, 9, 8, *range(10, 19)]
    logits = network(small) + network(small.flip(-1))[:, order].flip(-1)
    expected = F.interpolate(logits, size=(40, 70), mode="bilinear").argmax(dim=1)[0].numpy()
    ids = parser.segmap(image)
    assert ids.dtype == np.int64 and ids.shape == (40, 70)
    assert (ids == expected).mean() > 0.999 and len(np.unique(ids)) > 1
    with pytest.raises(InputError, match="uint8"):
        parser.segmap(image.astype(np.float32))


def test_names_of_parsers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_bundled_folder", lambda: tmp_path)
    with pytest.raises(InputError, match="no bundled face parser"):
        Segmenter.from_pretrained("bundled", CELEBAMASK_HQ, CPU)
    parser_folder(tmp_path / "face-parser")
    assert Segmenter.from_pretrained("bundled", CELEBAMASK_HQ, CPU).size == (32, 32)
    with pytest.raises(InputError, match="unknown parser 'nix'; expected bundled, the folder"):
        Segmenter.from_pretrained("nix", CELEBAMASK_HQ, CPU)


def test_other_labels_need_a_mapping(tmp_path: Path) -> None:
    parser_folder(tmp_path / "parser")
    names = ("locks", *(name for name in CELEBAMASK_HQ.names if name != "hair"))
    labels = LabelSet(name="mine", names=names)
    with pytest.raises(InputError, match="no counterpart for 'hair'"):
        Segmenter.from_pretrained(str(tmp_path / "parser"), labels, CPU)
    mapping = LabelMapping(renamed={"hair": "locks"}, ignored=(), source="m.json")
    ids = Segmenter.from_pretrained(str(tmp_path / "parser"), labels, CPU, mapping).segmap(
        np.zeros((8, 8, 3), np.uint8)
    )
    own = Segmenter.from_pretrained(str(tmp_path / "parser"), CELEBAMASK_HQ, CPU).segmap(np.zeros((8, 8, 3), np.uint8))
    # without flip pairs left and right may differ
    sided = np.isin(own, range(4, 10))
    table = np.array([labels.id_of("locks" if name == "hair" else name) for name in CELEBAMASK_HQ.names])
    assert np.array_equal(ids[~sided], table[own][~sided])


def test_what_is_no_parser_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a parser of this package, got answers"):
        segmenter(Answers(), SIDES).save_pretrained(tmp_path)
    assert list(tmp_path.iterdir()) == []
