"""The command that writes a model as ONNX files: export."""

from pathlib import Path
from typing import Literal

from sean.errors import InputError
from sean.pretrained import BUNDLED, CONFIG_NAME, find_parser


def export(
    *,
    model: str,
    output: Path,
    parser: str | None = None,
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    checks: int = 4,
) -> None:
    """Write a SEAN model as ONNX files, for programs and browsers that have no PyTorch.

    Writes the style encoder (photo and label map to style codes), the generator in two forms (generator.onnx takes the
    tables of a patch plan and is fast, generator-dense.onnx takes the label map alone), with a parser the network from
    photos to label maps, and manifest.json. Every file is compared with PyTorch before it is written.
    sean.onnx.Pipeline runs the folder with numpy, onnxruntime and Pillow alone.

    Examples:
      sean export --model portraits-256 --output onnx/
      sean export --model runs/faces/model --precision int8 --output onnx-small/

    Args:
        model: a bundled model, a model folder, or a hub id owner/name.
        output: the folder to write.
        parser: makes label maps of photos: "bundled" (faces), or a parser's folder. The default for models with its
            labels is the bundled parser.
        precision: of the weights: fp32, fp16, or int8 (8 bits where pictures stay within 2/255, else 16).
        checks: number of pairs of styles and maps to compare with PyTorch.
    """
    import sean
    from sean.onnx.export import export_model
    from sean.pretrained import find_model

    folder = find_model(model)
    parser_folder = _parser_for(folder) if parser is None else find_parser(parser, other="leave it out")
    files = export_model(
        folder, output, parser=parser_folder, precision=precision, checks=checks, version=sean.__version__
    )
    for file in files:
        said = {
            "outputs": f"within {file.difference:.1e} of PyTorch",
            "levels": f"pictures within {file.difference:.2f}/255 of PyTorch's",
            "labels": f"{file.difference:.2%} of the pixels with another label than PyTorch's",
        }[file.measure]
        print(f"{output / file.name}: {file.num_bytes / 1e6:.1f} MB, {said}")


def _parser_for(folder: Path) -> Path | None:
    """The bundled parser, if it is installed and has the labels of the model."""
    from sean.models.configs import CONFIGS, PARSER_CONFIGS
    from sean.models.weights import read_config

    try:
        parser = find_parser(BUNDLED, other="leave it out")
    except InputError:  # the installation has no bundled parser
        return None
    labels = read_config(folder / CONFIG_NAME, "model", CONFIGS)[1]
    same = read_config(parser / CONFIG_NAME, "parser", PARSER_CONFIGS)[1].names == labels.names
    return parser if same else None
