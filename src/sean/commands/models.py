"""The commands that make model folders: import-official, style-bank."""

from pathlib import Path

import numpy as np

from sean.errors import InputError
from sean.files import read_text
from sean.labels import CELEBAMASK_HQ, LabelSet, label_set
from sean.pretrained import CARD_NAME, CONFIG_NAME
from sean.progress import tracked

_MOST_SEEN = 6000  # largest number of pictures that a bank is chosen from


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

    Architecture and sizes are inferred from the tensors. Only tensors are read: a file that would run code is refused.
    SPADE's VAE and pix2pixHD's feature encoder are separate files (latest_net_E.pth).

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
    count: int = 56,
    names: str | None = None,
    card: Path | None = None,
    half: bool = False,
    max_shard_size: str = "5GB",
    device: str = "auto",
) -> None:
    """Add a style bank to a trained model: the style codes of some training pictures, as vectors.

    Takes pictures of the training part that differ as much as possible in the colours of their regions. For faces, the
    bank has one style for each named colour of hair, skin, lips, eyes, background and clothes (auburn, red-lips); a
    hair colour without a picture is made by recolouring one. The bank also has the mean colours of the regions, so that
    edits by colour need no rendering.

    Examples:
      sean style-bank --model runs/faces/model --data faces/ --output my-model --half
      sean style-bank --model runs/streets/model --data streets/ --output my-streets --count 16

    Args:
        model: a model folder.
        data: its training data: a folder, or folder or url of shards.
        output: the model folder to write, with the bank.
        count: number of pictures.
        names: of the styles, separated by commas, instead of the default names.
        card: a text file for the model card, README.md.
        half: store numbers in 16 bits.
        max_shard_size: of a weights file, as 20MB; larger weights are split into several files.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    import torch

    from sean.data.paired import PairedDataset
    from sean.data.splits import open_split
    from sean.data.transforms import PairedTransform
    from sean.devices import chosen_device
    from sean.editing.bank import dyed, picture_colours, varied_looks, with_names
    from sean.editing.pipeline import SEANPipeline
    from sean.images import tensor_to_image

    if count < 1:
        raise InputError(f"expected a count of at least 1, got {count}")
    if card is not None and not card.is_file():
        raise InputError(f"expected a model card, found no file at {card}")
    own_card = None if card is None else read_text(card)
    pipeline = SEANPipeline.from_pretrained(model, chosen_device(device))
    labels = pipeline.labels
    source = open_split(data, labels).training
    if source is None:
        raise InputError(f"expected training pairs in {data}, got none; a style bank is made of them")
    dataset = PairedDataset(source, PairedTransform(size=pipeline.image_size).evaluation())

    def picture(index: int) -> tuple[np.ndarray, np.ndarray]:
        sample = dataset[index]
        return np.asarray(tensor_to_image(sample["image"])), sample["segmap"].numpy()

    seen = np.linspace(0, len(source) - 1, min(len(source), _MOST_SEEN)).astype(int).tolist()
    colours = [
        picture_colours(*picture(at), labels) for at in tracked(seen, "looking at the pictures", total=len(seen))
    ]
    looks = varied_looks(colours, labels, count)
    if names is None:
        listed = [look.name for look in looks]
    else:
        listed = [name.strip() for name in names.split(",")]
        if len(listed) != len(looks):
            raise InputError(f"expected {len(looks)} names, one for each style of the bank, got {len(listed)}")
    bank = []
    for look in tracked(looks, "encoding", total=len(looks)):
        image, segmap = picture(seen[look.index])
        bank.append(pipeline.encode(image if look.dye is None else dyed(image, segmap, labels, look.dye), segmap))
    if all(listed):
        bank = with_names(bank, listed)
    text = pipeline.card if own_card is None else own_card
    result = SEANPipeline(pipeline.model, labels, style_bank=bank, card=text, terms=pipeline.terms)
    result.save_pretrained(output, dtype=torch.float16 if half else torch.float32, max_shard_size=max_shard_size)
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
