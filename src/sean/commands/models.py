"""The commands that make model folders: import-official, style-bank."""

from pathlib import Path

import numpy as np

from sean.commands.progress import tracked
from sean.errors import InputError
from sean.files import read_text
from sean.labels import CELEBAMASK_HQ, LabelSet, label_set
from sean.pretrained import CARD_NAME, CONFIG_NAME


def import_official(
    checkpoint: Path,
    /,
    *,
    output: Path,
    encoder: Path | None = None,
    labels: str | None = None,
    image_size: tuple[int, int] = (256, 256),
) -> None:
    """Turn the authors' generator checkpoint (latest_net_G.pth) of SEAN, SPADE or pix2pixHD into a model folder.

    Architecture and sizes are inferred from the tensors. Only tensors are read: a file that wants to run code is
    refused. SPADE's VAE and pix2pixHD's feature encoder are files of their own (latest_net_E.pth).

    Examples:
      sean import-official latest_net_G.pth --output celebamask-hq-256
      sean import-official latest_net_G.pth --encoder latest_net_E.pth --labels ade20k --output spade-ade20k

    Args:
        checkpoint: the .pth file.
        output: the model folder to write.
        encoder: the .pth file of the encoder, of SPADE with a VAE and of pix2pixHD.
        labels: celebamask-hq, ade20k, cityscapes, cmp-facades, or a classes.txt; CelebAMask-HQ's for 19 labels.
        image_size: height and width the model was trained for.
    """
    from sean.models.build import new_model
    from sean.models.official import convert_official, read_checkpoint
    from sean.models.weights import save_model

    state = read_checkpoint(checkpoint)
    encoder_state = None if encoder is None else read_checkpoint(encoder)
    named = None if labels is None else _named_labels(labels)
    try:
        config, converted = convert_official(
            state, encoder_state, num_regions=None if named is None else named.num_regions, image_size=image_size
        )
    except InputError as error:
        raise InputError(f"{checkpoint}: {error}") from error
    label_names = _labels_for(config.num_regions, named, labels)
    model = new_model(config)
    try:
        model.load_state_dict(converted)
    except RuntimeError as error:
        raise InputError(
            f"{checkpoint} is not a complete published {config.architecture} generator: "
            f"{' '.join(str(error).split())[:200]}"
        ) from error
    save_model(output, model, label_names)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{output}: {config.architecture}, {config.num_regions} labels, {count / 1e6:.1f} M parameters")


def style_bank(
    *,
    model: Path,
    data: str,
    output: Path,
    count: int = 32,
    names: str | None = None,
    keep: bool = False,
    card: Path | None = None,
    half: bool = False,
    device: str = "auto",
) -> None:
    """Add a style bank to a trained model: the style codes of some training pictures, as vectors.

    Takes pictures spread over the training part of the data, of those that show as many regions as most do. With the
    codes go the mean colours of the regions in these pictures, so that edits by colour need no rendering, and names.

    Examples:
      sean style-bank --model runs/faces/model --data faces/ --output my-model --half
      sean style-bank --model my-model --data faces/ --output my-model --half --keep

    Args:
        model: a model folder.
        data: what it was trained on: a folder, or folder or url of shards.
        output: the model folder to write, with the bank.
        count: how many pictures.
        names: of the styles, with commas between; by default the colours of their hair, as black,brown,brown-2.
        keep: the codes of the model's own bank stay as they are, and take the colours of their pictures and names.
        card: a text file to go in as the model card, README.md.
        half: store numbers in 16 bits.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    import torch

    from sean.data.paired import PairedDataset
    from sean.data.splits import open_split
    from sean.data.transforms import PairedTransform
    from sean.devices import chosen_device
    from sean.editing.bank import named_by_hair, with_colours, with_names
    from sean.editing.pipeline import SEANPipeline
    from sean.images import tensor_to_image

    if count < 1:
        raise InputError(f"expected a count of at least 1, got {count}")
    if card is not None and not card.is_file():
        raise InputError(f"expected a model card, found no file at {card}")
    pipeline = SEANPipeline.from_pretrained(model, chosen_device(device))
    if keep and not pipeline.style_bank:
        raise InputError(f"expected a model with a style bank to keep, got {model}, which has none; make one first")
    count = len(pipeline.style_bank) if keep else count
    source = open_split(data, pipeline.labels).training
    if source is None:
        raise InputError(f"expected training pairs in {data}, got none; a style bank is made of them")
    dataset = PairedDataset(source, PairedTransform(size=pipeline.image_size).evaluation())
    candidates = np.linspace(0, len(source) - 1, min(len(source), 4 * count)).astype(int).tolist()
    styles = []
    for index in tracked(candidates, "encoding", total=len(candidates)):
        sample = dataset[index]
        styles.append(pipeline.encode(tensor_to_image(sample["image"]), sample["segmap"].numpy()))
    threshold = float(np.median([len(style.regions) for style in styles]))
    chosen = [style for style in styles if len(style.regions) >= threshold]
    picked = np.linspace(0, len(chosen) - 1, min(count, len(chosen))).astype(int)
    bank = with_colours(pipeline.style_bank, styles) if keep else [chosen[i] for i in picked]
    named = named_by_hair(bank) if names is None else with_names(bank, [name.strip() for name in names.split(",")])
    text = pipeline.card if card is None else read_text(card)
    result = SEANPipeline(pipeline.model, pipeline.labels, style_bank=named, card=text)
    result.save_pretrained(output, dtype=torch.float16 if half else torch.float32)
    print(f"{output}: {len(result.style_bank)} styles beside {CONFIG_NAME}" + (f", {CARD_NAME}" if text else ""))


def _named_labels(name: str) -> LabelSet:
    return LabelSet.from_classes_txt(name) if name.endswith(".txt") else label_set(name)


def _labels_for(num_regions: int, labels: LabelSet | None, name: str | None) -> LabelSet:
    if labels is None:
        if num_regions == CELEBAMASK_HQ.num_regions:
            return CELEBAMASK_HQ
        raise InputError(f"the model has {num_regions} labels; name them by --labels (a shipped set or a classes.txt)")
    if labels.num_regions != num_regions:
        raise InputError(f"the model has {num_regions} labels, but {name} names {labels.num_regions}")
    return labels
