import numpy as np

from sean.compositing.matte import ColourGuide, guide_radius


def test_a_thin_region_is_sure_of_its_middle_and_a_thick_one_of_its_depth(rng: np.random.Generator) -> None:
    guide = ColourGuide(rng.random((3, 128, 128), dtype=np.float32), guide_radius((128, 128), (64, 64)))
    thin = np.zeros((64, 64), bool)
    thin[30:34, 10:50] = True  # lips
    matte = guide.matte(thin)
    assert matte.least[63:65, 40:80].min() > 0.99
    assert matte.most[:50].max() == 0
    thick = np.zeros((64, 64), bool)
    thick[10:54, 10:54] = True
    least = guide.matte(thick).least
    assert least[64, 64] == 1 and least[22, 64] < 0.5, "the photo's edge decides near the map's"
