"""The command that writes a data folder as shards: data shard."""

from pathlib import Path

from sean.commands.progress import reporting


def shard(
    folder: Path,
    destination: Path,
    /,
    *,
    shard_mb: float = 64.0,
    validation: float | str | None = None,
    training_prefix: str = "",
) -> None:
    """Write a folder of training pairs as tar shards, to train from a web server or a bucket without copying all.

    The shards are webdataset's, the files in them as they are. The split is written down: the official one of a
    prepared data set, or as the options say. A run that was cut short goes on where it stopped.

    Examples:
      sean data shard faces/ shards/
      sean data shard faces/ shards/ --shard-mb 256 --validation val_
      sean train --preset mini-128 --data https://example.org/shards --output runs/faces

    Args:
        folder: with images/, labels/ and classes.txt.
        destination: a new folder, or one with the same shards begun.
        shard_mb: size of a shard; streaming mixes the samples of four shards at a time.
        validation: held-out pairs: a fraction of the sorted names, or the prefix of their names.
        training_prefix: train only on files whose names start so.
    """
    from sean.data.folder import PairedFolder
    from sean.data.shards import write_shards

    pairs = PairedFolder.open(folder)
    with reporting("sharding") as report_progress:
        index = write_shards(
            pairs,
            destination,
            validation=validation,
            training=training_prefix,
            shard_mb=shard_mb,
            progress=report_progress,
        )
    counts = [sum(len(shard.samples) for shard in part) for part in (index.training, index.validation)]
    size = sum(shard.num_bytes for shard in index.shards) / 10**6
    print(
        f"{destination}: {counts[0]} pairs to train on in {len(index.training)} shards, {counts[1]} held out in "
        f"{len(index.validation)}; {size:.1f} MB"
    )
