"""The paper's numbers (Zhu et al., CVPR 2020, Tables 1 to 3), shown beside ours for data of the same kind."""

Row = tuple[float | None, ...]

# part of a data folder's name -> the paper's data set of that kind
_KINDS = {
    "celebamask": "CelebAMask-HQ",
    "facades": "Facades",
    "cityscapes": "Cityscapes",
    "camvid": "Cityscapes",
    "ade20k": "ADE20K",
    "ccp": "ADE20K",
}

TABLE_1: dict[str, dict[str, Row]] = {
    "CelebAMask-HQ": {"pix2pixhd": (0.68, 0.15, 17.14), "spade": (0.63, 0.21, 14.30), "sean": (0.73, 0.12, 18.74)},
    "Cityscapes": {"pix2pixhd": (0.69, 0.13, 18.32), "spade": (0.64, 0.18, 15.77), "sean": (0.70, 0.13, 18.61)},
    "ADE20K": {"pix2pixhd": (0.51, 0.22, 13.81), "spade": (0.45, 0.28, 11.52), "sean": (0.58, 0.17, 16.16)},
    "Facades": {"pix2pixhd": (0.53, 0.16, 16.30), "spade": (0.44, 0.22, 13.87), "sean": (0.58, 0.14, 17.14)},
}
"""Data set -> method -> SSIM, RMSE, PSNR of reconstruction."""

TABLE_2: dict[str, dict[str, Row]] = {
    "CelebAMask-HQ": {
        "real": (73.14, 94.38, 9.41),
        "pix2pixhd": (76.12, 95.76, 23.69),
        "spade": (77.01, 95.93, 22.43),
        "sean": (75.69, 95.69, 17.66),
    },
    "Cityscapes": {
        "real": (66.21, 93.69, 32.34),
        "pix2pixhd": (50.35, 92.09, 83.24),
        "spade": (56.01, 93.13, 60.51),
        "sean": (57.88, 93.59, 50.38),
    },
    "ADE20K": {
        "real": (39.38, 78.76, 14.51),
        "pix2pixhd": (22.78, 73.32, 43.0),
        "spade": (35.37, 79.37, 34.65),
        "sean": (34.59, 77.16, 24.84),
    },
    "Facades": {
        "real": (None, None, 14.40),
        "pix2pixhd": (None, None, 22.34),
        "spade": (None, None, 24.04),
        "sean": (None, None, 19.82),
    },
}
"""Data set -> method -> mIoU in percent, pixel accuracy in percent, FID."""

TABLE_3: dict[str, dict[str, Row]] = {
    "CelebAMask-HQ": {
        "pix2pixhd": (0.68, 0.15, 17.14, 23.69),
        "spade": (0.63, 0.21, 14.30, 22.43),
        "spade++": (0.67, 0.16, 16.71, 20.80),
        "sean-norm-encoders": (0.74, 0.11, 19.70, 18.17),
        "sean-resblk-encoders": (0.72, 0.12, 18.86, 17.98),
        "sean": (0.73, 0.12, 18.74, 17.66),
        "sean-no-downsampling": (0.72, 0.13, 18.32, 18.67),
        "sean-no-noise": (0.72, 0.13, 18.49, 18.05),
    },
}
"""Data set -> method -> SSIM, RMSE, PSNR, FID: the ablation."""


def kind_of(dataset: str) -> str | None:
    """The paper's data set of the same kind as a folder, by the folder's name; None if the paper has none."""
    return next((kind for part, kind in _KINDS.items() if part in dataset.lower()), None)
