"""The generator: against the dense formulation block by block, its inputs and errors, noise, and invariances."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sean.models.configs import NUM_STYLED_BLOCKS, SEANConfig
from sean.models.layers import LEAKY_SLOPE
from sean.models.sean.generator import Generator
from sean.models.sean.model import SEANModel
from sean.plan.planner import plan_segmap

from ...ops.reference import assert_same_with_gradients, randn
from .. import reference
from ..reference import randomize, relabel, relabelled

STYLE_DIM = 4


def make_generator(num_regions: int = 3, **sizes: Any) -> Generator:
    return randomize(Generator(num_regions, STYLE_DIM, base_channels=1, mask_dim=4, **sizes))


def make_codes(batch: int, num_regions: int = 3) -> Tensor:
    return torch.randn(batch, num_regions, STYLE_DIM, dtype=torch.float64)


@pytest.fixture
def generator() -> Generator:
    return make_generator()


def test_equals_the_dense_formulation(generator: Generator) -> None:
    """Every ResBlk with codes of its own, a picture that is not square, a label absent, pixels of no region."""
    segmap = torch.randint(4, (2, 32, 64))
    segmap[0][segmap[0] == 1] = 2
    codes = [randn(2, 3, STYLE_DIM) for _ in range(6)]
    assert_same_with_gradients(
        lambda: generator(segmap, codes),
        lambda: reference.generate(generator, segmap, codes),
        [*codes, *generator.parameters()],
    )


def test_styles_of_instances_equal_the_dense_formulation(generator: Generator) -> None:
    """Three code matrices for two pictures; which one a pixel takes has nothing to do with its sample."""
    segmap, variants = torch.randint(4, (2, 64, 32)), torch.randint(3, (2, 64, 32))
    codes = [randn(3, 3, STYLE_DIM) for _ in range(6)]
    plan = plan_segmap(segmap, variants)
    assert_same_with_gradients(
        lambda: generator(segmap, codes, plan=plan),
        lambda: reference.generate(generator, segmap, codes, variants),
        [*codes, *generator.parameters()],
    )


@torch.no_grad()
def test_a_plan_made_beforehand_gives_the_same_picture(generator: Generator) -> None:
    segmap, codes = torch.randint(4, (2, 64, 32)), make_codes(2)
    assert torch.equal(generator(segmap, codes, plan=plan_segmap(segmap)), generator(segmap, codes))


@torch.no_grad()
def test_many_labels() -> None:
    generator, segmap = make_generator(150), torch.randint(151, (1, 32, 32))
    codes = make_codes(1, 150)
    expected = reference.generate(generator, segmap, [codes] * 6)
    torch.testing.assert_close(generator(segmap, codes), expected, atol=1e-9, rtol=1e-9)


def test_size_of_the_published_network() -> None:
    with torch.device("meta"):
        model = SEANModel(SEANConfig(num_regions=19, base_channels=64))
    assert round(sum(p.numel() for p in model.parameters()) / 1e5) == 2669  # 266.9 M
    widths = [block.conv_1.out_channels for block in model.generator.blocks]
    assert widths == [1024, 1024, 1024, 512, 256, 128, 64]


def test_max_channels_caps_every_block() -> None:
    generator = make_generator(max_channels=6)
    assert [block.conv_1.out_channels for block in generator.blocks] == [6, 6, 6, 6, 4, 2, 1]
    assert generator(torch.zeros(1, 32, 32, dtype=torch.long), make_codes(1)).shape == (1, 3, 32, 32)


def test_last_block_has_no_style_branch(generator: Generator) -> None:
    styled = {key.split(".")[1] for key in generator.state_dict() if ".style." in key or ".blend" in key}
    assert styled == {"0", "1", "2", "3", "4", "5"}


@torch.no_grad()
def test_picture_lies_between_minus_one_and_one() -> None:
    generator = Generator(3, STYLE_DIM, base_channels=1, mask_dim=4)
    picture = generator(torch.randint(3, (2, 64, 32)), 100 * torch.randn(2, 3, STYLE_DIM))
    assert picture.shape == (2, 3, 64, 32)
    assert picture.dtype == torch.float32
    assert picture.abs().max() <= 1


@pytest.mark.parametrize("size", [(32, 48), (33, 32), (16, 16)])
def test_size_that_is_no_multiple_of_32(generator: Generator, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"multiples of 32, got {size[0]} x {size[1]}"):
        generator(torch.zeros(1, *size, dtype=torch.long), make_codes(1))


@pytest.mark.parametrize("count", [0, 1, 5, 7])
def test_wrong_number_of_codes(generator: Generator, count: int) -> None:
    with pytest.raises(ValueError, match=f"one style per SEAN ResBlk, that is 6, got {count}"):
        generator(torch.zeros(1, 32, 32, dtype=torch.long), [make_codes(1)] * count)


@torch.no_grad()
def test_the_same_code_for_every_block_equals_the_single_code(generator: Generator) -> None:
    segmap, codes = torch.randint(3, (1, 32, 32)), make_codes(1)
    assert torch.equal(generator(segmap, [codes] * NUM_STYLED_BLOCKS), generator(segmap, codes))


@torch.no_grad()
@pytest.mark.parametrize("block", range(NUM_STYLED_BLOCKS))
def test_crossover_gives_each_block_its_own_code(generator: Generator, block: int) -> None:
    """Exchanging the codes of one ResBlk leaves what comes before it and changes what it makes."""
    segmap, codes, other = torch.randint(3, (1, 32, 32)), make_codes(1), make_codes(1)
    seen: list[Tensor] = []
    for module in generator.blocks:
        module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    generator(segmap, codes)
    generator(segmap, [other if index == block else codes for index in range(NUM_STYLED_BLOCKS)])
    plain, crossed = seen[:7], seen[7:]
    equal = [torch.equal(one, two) for one, two in zip(plain, crossed, strict=True)]
    assert equal[: block + 1] == [True] * block + [False]


@torch.no_grad()
def test_style_of_an_absent_region_changes_nothing(generator: Generator) -> None:
    segmap = 2 * torch.randint(2, (1, 32, 32))
    codes = make_codes(1)
    other = codes.clone()
    other[:, 1] = 10
    assert torch.equal(generator(segmap, codes), generator(segmap, other))
    other[:, 2] = 10
    assert not torch.equal(generator(segmap, codes), generator(segmap, other))


@torch.no_grad()
def test_relabelling_labels_and_weights_together_changes_nothing(generator: Generator) -> None:
    permutation = torch.tensor([2, 0, 1])
    renamed = make_generator()
    renamed.load_state_dict(relabelled(generator, permutation))
    segmap, codes = torch.randint(4, (1, 32, 64)), make_codes(1)
    torch.testing.assert_close(
        renamed(relabel(segmap, permutation), codes[:, permutation.argsort()]),
        generator(segmap, codes),
        atol=1e-10,
        rtol=1e-10,
    )


@torch.no_grad()
def test_batch_equals_singles(generator: Generator) -> None:
    segmap, codes = torch.randint(4, (3, 32, 32)), make_codes(3)
    pictures = generator(segmap, codes)
    for index in range(3):
        alone = generator(segmap[index : index + 1], codes[index : index + 1])
        torch.testing.assert_close(pictures[index], alone[0], atol=1e-10, rtol=1e-10)


@torch.no_grad()
def test_evaluation_is_deterministic_and_changes_no_state(generator: Generator) -> None:
    segmap, codes = torch.randint(4, (1, 32, 32)), make_codes(1)
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    random_state = torch.get_rng_state()
    assert torch.equal(generator(segmap, codes), generator(segmap, codes))
    assert torch.equal(torch.get_rng_state(), random_state)
    for key, value in generator.state_dict().items():
        assert torch.equal(value, before[key]), key


@torch.no_grad()
def test_noise_is_seeded_by_its_generator(generator: Generator) -> None:
    segmap, codes = torch.randint(3, (2, 32, 32)), make_codes(2)

    def draw(seed: int) -> Tensor:
        return generator(segmap, codes, noise=True, rng=torch.Generator().manual_seed(seed))

    random_state = torch.get_rng_state()
    first = draw(1)
    assert torch.equal(draw(1), first)
    assert not torch.equal(draw(2), first)
    assert not torch.equal(generator(segmap, codes), first)
    assert torch.equal(torch.get_rng_state(), random_state)


@torch.no_grad()
def test_noise_comes_from_the_global_generator_where_none_is_given(generator: Generator) -> None:
    segmap, codes = torch.randint(3, (1, 32, 32)), make_codes(1)
    pictures = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        pictures.append(generator(segmap, codes, noise=True))
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.equal(pictures[0], pictures[2])


@torch.no_grad()
def test_noise_is_drawn_anew_for_every_norm_sample_and_pixel(generator: Generator) -> None:
    """The first norm of a ResBlk and that of its shortcut see the same activation, up to their noise.

    With all weights 0, mean 0 and variance 1 they give what they see, up to the activation after the first.
    """
    block = generator.blocks[3]
    seen: list[Tensor] = []
    for norm, slope in ((block.norm_0, LEAKY_SLOPE), (block.norm_shortcut, 1.0)):
        for parameter in norm.parameters():
            parameter.zero_()
        norm.noise_scale.fill_(1)
        norm.norm.running_mean.fill_(0)
        norm.norm.running_var.fill_(1 - norm.norm.eps)
        norm.register_forward_hook(lambda _module, _inputs, y, s=slope: seen.append(F.leaky_relu(y, 1 / s)))
    segmap, codes = torch.zeros(2, 32, 32, dtype=torch.long), make_codes(1).expand(2, -1, -1)
    generator(segmap, codes)
    torch.testing.assert_close(seen[0], seen[1], atol=1e-12, rtol=1e-12)
    generator(segmap, codes, noise=True)
    difference = seen[2] - seen[3]
    # shared by the channels (here: up to rounding), different everywhere else
    one_channel = difference[:, :1]
    torch.testing.assert_close(difference, one_channel.expand_as(difference), atol=1e-9, rtol=0)
    assert one_channel.shape == (2, 1, 4, 4)
    assert one_channel.flatten().unique().numel() == 32


@torch.no_grad()
def test_without_noise_scale_noise_changes_nothing() -> None:
    """As in a new network, whose noise scales are 0."""
    generator = make_generator()
    for key, parameter in generator.named_parameters():
        if key.endswith("noise_scale"):
            parameter.zero_()
    segmap, codes = torch.randint(3, (1, 32, 32)), make_codes(1)
    assert torch.equal(generator(segmap, codes, noise=True), generator(segmap, codes))


def random_edges(*shape: int) -> Tensor:
    return torch.rand(shape) < 0.3


def test_the_mask_branches_alone_have_an_edge_plane() -> None:
    """The stem has none: the paper's networks take the edges where they modulate."""
    plain, with_edges = make_generator().state_dict(), make_generator(instance_edges=True).state_dict()
    wider = {key for key in plain if plain[key].shape != with_edges[key].shape}
    assert wider == {key for key in plain if key.endswith("mask.hidden.weight")}
    assert len(wider) == 18
    assert all(with_edges[key].shape[1] == 4 for key in wider)


@torch.no_grad()
def test_edges_reach_the_picture_by_themselves_or_in_a_plan() -> None:
    generator, segmap, codes = make_generator(instance_edges=True), torch.randint(4, (2, 64, 32)), make_codes(2)
    edges = random_edges(2, 64, 32)
    picture = generator(segmap, codes, edges=edges)
    assert torch.equal(generator(segmap, codes, edges=edges.long()), picture)
    assert torch.equal(generator(segmap, codes, plan=plan_segmap(segmap, edges=edges)), picture)
    assert not torch.allclose(generator(segmap, codes, edges=~edges), picture, atol=1e-3)


@torch.no_grad()
def test_without_any_edge_the_edge_weights_do_nothing() -> None:
    """To the bit the picture of the same weights without their edge plane."""
    generator, plain = make_generator(instance_edges=True), make_generator()
    state = generator.state_dict()
    dropped = {key: value[:, :-1] if key.endswith("mask.hidden.weight") else value for key, value in state.items()}
    plain.load_state_dict(dropped)
    for size in ((32, 64), (64, 64)):  # the second is planned densely
        segmap, codes = torch.randint(4, (1, *size)), make_codes(1)
        edges = torch.zeros_like(segmap)
        assert torch.equal(generator(segmap, codes, edges=edges), plain(segmap, codes))


@torch.no_grad()
@settings(max_examples=8)
@given(corner=st.tuples(st.booleans(), st.booleans()), seed=st.integers(0, 2**31))
def test_an_edge_at_the_finest_level_changes_nothing_far_away(corner: tuple[bool, bool], seed: int) -> None:
    """Two pixels by the mask branch of the last block's first norm, then one by each of three convolutions."""
    torch.manual_seed(seed)
    generator, segmap, codes = make_generator(instance_edges=True), torch.randint(4, (1, 32, 64)), make_codes(1)
    edges = random_edges(1, 32, 64)
    other = edges.clone()
    # odd, so that no coarser level has this pixel
    y, x = (size - 3 if far else 3 for size, far in zip((32, 64), corner, strict=True))
    other[0, y, x] ^= True
    difference = (generator(segmap, codes, edges=edges) - generator(segmap, codes, edges=other)).abs().amax(dim=1)[0]
    assert difference[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].max() > 1e-6
    difference[max(y - 5, 0) : y + 6, max(x - 5, 0) : x + 6] = 0
    assert difference.max() < 1e-12


def test_edges_for_a_network_without_them_and_the_other_way_round() -> None:
    segmap, codes, edges = torch.zeros(1, 32, 32, dtype=torch.long), make_codes(1), random_edges(1, 32, 32)
    bare, with_edges = plan_segmap(segmap), plan_segmap(segmap, edges=edges)
    for plan in (None, bare):
        with pytest.raises(ValueError, match=r"expected instance edges .* got none; give edges=") as error:
            make_generator(instance_edges=True)(segmap, codes, plan=plan)
        assert "\n" not in str(error.value)
    for arguments in ({"edges": edges}, {"plan": with_edges}):
        with pytest.raises(ValueError, match=r"expected no instance edges .* got some; leave them out"):
            make_generator()(segmap, codes, **arguments)
