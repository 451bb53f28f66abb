"""The `sean` command: a function for each subcommand, and errors in one line. The functions are in `sean.commands`."""

import contextlib
import errno
import functools
import importlib
import inspect
import io
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import sean
from sean.allocator import keep_freed_memory
from sean.errors import InputError, Interrupted, Replaced
from sean.extras import as_input_error, require
from sean.threads import set_threads

# subcommand -> (function of sean.commands, description). A module is imported for its own commands only.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("rendering.demo", "everything the bundled model does, on one contact sheet"),
    "reconstruct": ("rendering.reconstruct", "encode a photo's styles and render its label map with them"),
    "edit": ("edit.edit", "styles of regions from other photos, or another label map"),
    "parse": ("parsing.parse", "the label map of a photo, as a picture that every --segmap takes"),
    "list": ("parsing.list_", "bundled models; regions, groups and bank styles of a model"),
    "interpolate": ("rendering.interpolate", "a strip from one photo's styles to another's"),
    "crossover": ("rendering.crossover", "a strip of two photos' styles mixed by ResBlk"),
    "web": ("web.web", "the editor in a browser: paint, change styles, see the picture meanwhile"),
    "train": ("training.train", "train a model on a folder of pairs, or on synthetic scenes"),
    "train-parser": ("training.train_parser", "train a parser, which makes label maps of photos"),
    "curves": ("training.curves", "a picture of the curves of trainings"),
    "evaluate": ("evaluation.evaluate", "score a model on held-out pairs, beside the real pictures"),
    "experiment": ("experiments.experiment", "rerun the paper's tables and figures"),
    "augment": ("augment.augment", "restyled copies of labelled pictures, to train segmentation networks with"),
    "data speed": ("training.speed", "whether the data keeps up with the training"),
    "data shard": ("data.shard", "write a data folder as tar shards, to stream it"),
    "data check": ("data.check", "report on a folder of training pairs"),
    "data mend-sides": ("data.mend_sides", "left and right of faces in their places"),
    "data parse": ("data.parse", "training pairs from pictures without label maps"),
    "data prepare": ("data.prepare", "the download of an official data set to a folder of training pairs"),
    "data convert": ("data.convert", "labels of an annotation tool (CVAT, LabelMe, COCO, VOC ...) to training pairs"),
    "data export": ("data.export", "training pairs for an annotation tool, to correct label maps there"),
    "export": ("export.export", "a model as ONNX files, for programs and browsers without PyTorch"),
    "import-official": ("models.import_official", "the authors' checkpoint to a model folder"),
    "bench": ("bench.bench", "speed and memory against the published formulation, in one run"),
    "style-bank": ("models.style_bank", "add styles of training pictures to a trained model"),
}

# subcommand -> module whose `preset(name)` gives the defaults of its --config.*
PRESETS = {"train": "sean.training.presets", "train-parser": "sean.training.parser.config"}
# subcommand -> the extra that it requires
NEEDS = {
    "web": "web",
    "train": "train",
    "train-parser": "train",
    "curves": "train",
    "data speed": "train",
    "experiment": "train",
    "evaluate": "eval",
    "export": "onnx",
}
WEIGHTS_TERMS = "Code: Apache-2.0. Bundled weights: non-commercial research, see LICENSE in each bundled folder."
# tyro's configuration of parameters by name, in all commands: `photos` and `augmentation` hold several options, which
# have no prefix (--crop, not --photos.crop).
_TYRO: dict[str, dict[str, Any]] = {
    "photos": {"name": ""},
    "augmentation": {"name": ""},
    "output": {"aliases": ["-o"]},
    "quiet": {"aliases": ["-q"], "help": "print nothing but errors, and show no progress."},
    "threads": {"help": "of the processor, to compute with; without it, one for each core."},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code: 0, 2 for bad input, 130 for an interrupt, 143 after SIGTERM."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # characters that the console lacks, and file names that are not text, are escaped
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(COMMANDS))
        return 0
    if arguments[0] in _groups() and (len(arguments) == 1 or arguments[1] in ("-h", "--help")):
        print(_overview({name: row for name, row in COMMANDS.items() if name.startswith(f"{arguments[0]} ")}))
        return 0
    if arguments[0] == "--version":
        print(f"sean {sean.__version__}\n{WEIGHTS_TERMS}")
        return 0
    keep_freed_memory()
    try:
        if arguments[0] == "--install-completion":
            print(_installed_completion(*arguments[1:2]))
            return 0
        with warnings.catch_warnings():
            warnings.showwarning = _say(warnings.showwarning)
            _parse(arguments)()
    except InputError as error:
        return _refuse(error)
    except ModuleNotFoundError as error:
        refusal = as_input_error(error, f"sean {arguments[0]}")
        if refusal is None:
            raise
        return _refuse(refusal)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return _refuse(InputError(f"{str(error.filename)[:40]}... is too long for the name of a file; check it"))
    except Interrupted as interruption:
        print(f"sean: {interruption}{_option(interruption.setting)}", file=sys.stderr)
        return interruption.exit_code
    except KeyboardInterrupt:
        print("sean: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _installed_completion(shell: str | None = None) -> str:
    from sean.completion import install_completion

    return install_completion(COMMANDS, {name: place for name, (place, _) in COMMANDS.items()}, shell)


def _say(others: Callable[..., None]) -> Callable[..., None]:
    """A `warnings.showwarning` that says the product's own warnings in one line, and leaves the rest to `others`."""

    def say(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
        if category is Replaced:
            print(f"sean: {message}", file=sys.stderr)
        else:
            others(message, category, *rest, **named)

    return say


def _refuse(error: InputError) -> int:
    print(f"sean: {' '.join(str(error).split())}{_option(error.setting)}", file=sys.stderr)
    return 2


def _option(setting: str | None) -> str:
    """The option for the setting of an error."""
    return "" if setting is None else f" (--{setting.replace('_', '-')})"


def _groups() -> set[str]:
    """The first words of the commands of two words."""
    return {name.split()[0] for name in COMMANDS if " " in name}


def _overview(commands: Mapping[str, tuple[str, str]]) -> str:
    width = max(map(len, commands))
    rows = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in commands.items())
    return (
        f"usage: sean COMMAND [OPTIONS]\n\n{rows}\n\nsean COMMAND --help shows options and examples. sean --version.\n"
        "sean --install-completion [bash|zsh] completes commands and options with Tab."
    )


def _parse(arguments: list[str]) -> Callable[[], None]:
    """The call that a command line asks for; prints help and exits on --help."""
    name, rest = arguments[0], arguments[1:]
    if name in _groups():
        name, rest = f"{name} {rest[0]}", rest[1:]
    if name not in COMMANDS:
        raise InputError(f"unknown command {name!r}; expected one of: {', '.join(COMMANDS)}")
    module, function = COMMANDS[name][0].split(".")
    command = getattr(importlib.import_module(f"sean.commands.{module}"), function)
    if name in PRESETS:
        command = _with_preset(command, rest, PRESETS[name])
    call = _parse_options(command, name, rest)
    if name in NEEDS:
        require(NEEDS[name], f"sean {name}")
    return call


def _with_preset(command: Callable[..., None], options: list[str], presets: str) -> Callable[..., None]:
    """`command` with the defaults of its --config.*: the settings of the preset and the method, or of the resumed run.

    With another number of steps, the schedule has that length.
    """
    signature = inspect.signature(command)
    given = _preset_options(options)

    def default(name: str) -> str:
        return signature.parameters[name].default

    goes_on = given.resume and given.output and not given.preset and not given.method
    config = signature.parameters["config"].annotation.of_run(Path(given.output)) if goes_on else None
    if config is None:
        config = importlib.import_module(presets).preset(given.preset or default("preset"))
        if "method" in signature.parameters:
            methods = importlib.import_module("sean.training.methods")
            config = methods.with_method(config, given.method or default("method"))
    if given.steps.isdecimal() and int(given.steps):
        config = config.with_steps(int(given.steps))
    parameters = [p.replace(default=config) if p.name == "config" else p for p in signature.parameters.values()]

    @functools.wraps(command)
    def train(*args: Any, **kwargs: Any) -> None:
        command(*args, **kwargs)

    train.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return train


@dataclass(frozen=True)
class _PresetOptions:
    """The options that decide on the defaults of the others; empty if absent."""

    preset: str = ""
    method: str = ""
    output: str = ""
    resume: bool = False
    steps: str = ""


def _preset_options(options: list[str]) -> _PresetOptions:
    """These options of a command line; none of them if one is malformed, which the parsing of all options reports."""
    import tyro

    def read(
        preset: str = "",
        method: str = "",
        output: Annotated[str, tyro.conf.arg(aliases=["-o"])] = "",
        resume: bool = False,
        steps: Annotated[str, tyro.conf.arg(name="config.steps")] = "",
    ) -> _PresetOptions:
        return _PresetOptions(preset, method, output, resume, steps)

    try:
        return tyro.cli(read, args=options, add_help=False, console_outputs=False, return_unknown_args=True)[0]
    except SystemExit:
        return _PresetOptions()


def _parse_options(command: Callable[..., None], name: str, options: list[str]) -> Callable[[], None]:
    import tyro

    parameters = dict(inspect.signature(command).parameters)
    added = {key: value for key, value in _added_options(parameters).items() if key not in parameters}

    @functools.wraps(command)
    def deferred(*args: Any, **kwargs: Any) -> Callable[[], None]:
        quiet, threads = (kwargs.pop(key) if key in added else None for key in ("quiet", "threads"))
        return functools.partial(_called, functools.partial(command, *args, **kwargs), quiet=quiet, threads=threads)

    deferred.__signature__ = inspect.Signature([*parameters.values(), *added.values()])  # type: ignore[attr-defined]
    deferred.__annotations__ = {
        key: Annotated[annotation, tyro.conf.arg(**_tyro_settings(key))]
        for key, annotation in (
            command.__annotations__ | {key: value.annotation for key, value in added.items()}
        ).items()
    }
    del deferred.__wrapped__  # tyro would read the annotations there
    description = inspect.getdoc(command).split("\nArgs:")[0]  # type: ignore[union-attr]
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(
                deferred,
                prog=f"sean {name}",
                description=description,
                args=options,
                config=(tyro.conf.UseAppendAction, tyro.conf.DisallowNone),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise InputError(f"{_one_line(errors.getvalue())}; see sean {name} --help") from None


def _tyro_settings(parameter: str) -> dict[str, Any]:
    """tyro's configuration of a parameter; from_ is the option "from"."""
    return _TYRO.get(parameter) or ({"name": parameter.removesuffix("_")} if parameter.endswith("_") else {})


def _added_options(parameters: Mapping[str, inspect.Parameter]) -> dict[str, inspect.Parameter]:
    """The options that every command has, and those of commands that compute, by their names."""
    quiet = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool)
    threads = inspect.Parameter("threads", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=int | None)
    return {"quiet": quiet, **({"threads": threads} if "device" in parameters else {})}


def _called(command: Callable[[], None], *, quiet: bool | None, threads: int | None) -> None:
    """Run a command after applying the options that all commands have."""
    if threads is not None:
        if threads < 1:
            raise InputError(f"expected at least 1 thread, got {threads}")
        set_threads(threads)
    with contextlib.ExitStack() as stack:
        if quiet:
            from sean.progress import silence

            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
            stack.enter_context(silence())
        command()


def _one_line(box: str) -> str:
    """The errors in the box that tyro draws, without title, help texts (indented lines) and the last hint."""
    said: list[str] = []
    for line in box.translate({ord(edge): " " for edge in "╭╮╰╯│─"}).splitlines()[1:]:
        if not line.strip(" -"):  # a rule, drawn in lines or in dashes as the terminal's encoding allows
            if said:
                break
        elif not line.startswith(" " * 9):
            said.append(line)
    return " ".join(" ".join(said).split())
