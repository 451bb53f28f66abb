"""The training of models: the paper's task, on the common loop of all trainings."""

from collections.abc import Generator
from itertools import islice
from pathlib import Path

import torch
from lightning_fabric import Fabric

from sean.errors import InputError
from sean.losses.perceptual import (
    EfficientNetFeatures,
    FeatureNetwork,
    PerceptualLoss,
    StyleEncoderFeatures,
    load_vgg19,
)
from sean.models.efficientnet import load_efficientnet
from sean.models.sean.encoder import StyleEncoder
from sean.models.weights import load_model
from sean.pretrained import find_model
from sean.training.batch import TrainingBatch, batch_schedule, training_batches
from sean.training.config import EFFICIENTNET_PREFIX, VGG19, TrainConfig, check_start
from sean.training.data import TrainingData
from sean.training.distributed import on_first
from sean.training.log import Log
from sean.training.resume import NON_FINITE_ADVICE
from sean.training.state import TrainingState, new_state
from sean.training.step import training_step
from sean.training.training import Training
from sean.training.validation import validate_and_export

ACCELERATOR = "auto"
MAX_SKIPPED_IN_A_ROW = 20


def train(
    config: TrainConfig,
    data: TrainingData,
    run: Path,
    *,
    resume: bool = False,
    start_from: Path | None = None,
    device: str | None = None,
) -> Path:
    """Train, or continue a training, until `config.steps`.

    The folder `run` gets config.json, metrics.jsonl, tensorboard/, curves.png, samples/, checkpoints/ and, at every
    validation and at the end, model/: the averaged weights as a model folder; best/ is the best of them. Several
    processes (see `sean.training.distributed`) need a file system that all of them see.

    Args:
        config: settings; the number of regions is replaced by that of the data.
        data: training and validation data.
        run: the run's folder.
        resume: continue from the newest checkpoint in `run`, or start if there is none. Number of steps, rates, batch
            size, accumulation and precision may have changed: see `sean.training.resume`.
        start_from: model folder with the initial weights of a new run; the discriminator starts from random weights.
        device: cpu, cuda or cuda:1; None takes a GPU if there is one.

    Returns:
        The model folder.

    Raises:
        InputError: `run` holds a run and `resume` is off, or another training uses it; the checkpoint or the model to
            start from does not fit; a loss is not finite; the run's folder cannot be written; a process died.
        Interrupted: SIGINT, SIGTERM or SIGHUP was received; the checkpoint of the last step is written.
    """
    return ModelTraining(config, data, run, device or ACCELERATOR).train(resume=resume, start_from=start_from)


class ModelTraining(Training[TrainConfig, TrainingState]):
    """Style encoder, generator and discriminator, trained by reconstruction (SEAN paper, section 3.3)."""

    noun = "model"

    def __init__(self, config: TrainConfig, data: TrainingData, run: Path, device: str) -> None:
        super().__init__(config, data, run, device)
        self.skipped_in_a_row = 0
        # raises if the processes cannot share the batch evenly
        batch_schedule(data, self.config, world_size=self.fabric.world_size)

    @property
    def validate_every(self) -> int:
        """See `Training`."""
        return self.config.sample_every

    def new_state(self, start_from: Path | None) -> TrainingState:
        """New networks; the discriminator always starts from random weights."""
        state = new_state(self.config, self.fabric)
        if start_from is not None:
            _take_weights(state, start_from, self.config)
        return state

    def batches(self) -> Generator[TrainingBatch]:
        """`config.accumulate` batches of this process for every step."""
        self.perceptual = perceptual_loss(self.config, self.fabric, self.log)
        return training_batches(self.data, self.config, self.state.step, self.fabric)

    def step(self, batches: Generator[TrainingBatch]) -> dict[str, float]:
        """See `training_step`."""
        skipped = self.state.skipped
        some = list(islice(batches, self.config.accumulate))
        terms = training_step(self.state, some, self.config, self.fabric, self.perceptual)
        self.skipped_in_a_row = self.skipped_in_a_row + 1 if self.state.skipped > skipped else 0
        return terms

    def note_step(self, terms: dict[str, float]) -> None:
        """Log the loss terms; InputError after too many skipped updates in a row."""
        super().note_step(terms)
        if not self.skipped_in_a_row:
            return
        step, skipped = self.state.step, self.state.skipped
        self.log.message(f"step {step}: a loss was not finite, the update was skipped ({skipped} so far)")
        if self.skipped_in_a_row == MAX_SKIPPED_IN_A_ROW:
            raise InputError(
                f"step {step}: {MAX_SKIPPED_IN_A_ROW} steps in a row had a loss that is not finite; {NON_FINITE_ADVICE}"
            )

    def validate(self) -> None:
        """See `validate_and_export`."""
        validate_and_export(self)

    def remarks(self) -> list[str]:
        """A hint if GPUs are idle."""
        gpus = torch.cuda.device_count() if self.fabric.device.type == "cuda" else 0
        if self.fabric.world_size > 1 or gpus < 2:
            return []
        return [f"one of {gpus} GPUs is used; for all of them: torchrun --nproc-per-node {gpus} -m sean train ..."]


def _take_weights(state: TrainingState, folder: Path, config: TrainConfig) -> None:
    model, _ = load_model(folder)
    check_start(model.config, config.model, str(folder))
    for network in (state.model, state.average):
        network.load_state_dict(model.state_dict())


def perceptual_loss(config: TrainConfig, fabric: Fabric, log: Log) -> PerceptualLoss | None:
    """The term on this process's device; None if its weight is 0, or, with a message, if VGG19 is not available.

    Raises:
        InputError: the named network does not exist or is damaged.
    """
    if config.losses.perceptual == 0:
        return None
    # the first process downloads the file, the others find it in the cache
    if not on_first(fabric, lambda: _load(config) is not None):
        log.message(
            "the perceptual term is OFF: VGG19's weights could not be downloaded; give torchvision's "
            "vgg19-dcbb9e9d.pth as vgg_weights, or another network as perceptual_network (portraits-256, say)"
        )
        return None
    network = _load(config)
    assert network is not None, "the first process could load it"
    loss = PerceptualLoss(network)
    fabric.to_device(loss)
    return loss


def _load(config: TrainConfig) -> FeatureNetwork | None:
    if config.perceptual_network == VGG19:
        return load_vgg19(config.vgg_weights)
    if config.perceptual_network.startswith(EFFICIENTNET_PREFIX):
        return EfficientNetFeatures(load_efficientnet(config.perceptual_network.removeprefix(EFFICIENTNET_PREFIX)))
    model, _ = load_model(find_model(config.perceptual_network))
    if not isinstance(model.style_encoder, StyleEncoder):
        raise InputError(f"expected a SEAN model with one style encoder, got another in {config.perceptual_network}")
    return StyleEncoderFeatures(model.style_encoder)
