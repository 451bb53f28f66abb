"""`sean --install-completion`: shell completion of commands and options with Tab."""

import contextlib
import functools
import importlib
import io
import operator
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import tyro

from sean.errors import InputError
from sean.files import write_text_atomic


def completion_script(commands: Iterable[str], places: dict[str, str], shell: str) -> str:
    """The completion script of a shell, as tyro writes it.

    Args:
        commands: their names; those of two words are completed after the first word.
        places: module.function in `sean.commands` of each.
        shell: bash or zsh.
    """
    functions: dict[str, Callable[..., Any]] = {}
    groups: dict[str, dict[str, Callable[..., Any]]] = {}
    for name in commands:
        module, function = places[name].split(".")
        called = getattr(importlib.import_module(f"sean.commands.{module}"), function)
        group, _, second = name.partition(" ")
        if second:
            groups.setdefault(group, {})[second] = called
        else:
            functions[name] = called
    functions |= {group: _chooser(members) for group, members in groups.items()}
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        arguments = ["--tyro-print-completion", shell]
        tyro.extras.subcommand_cli_from_dict(
            functions, prog="sean", args=arguments, config=(tyro.conf.OmitArgPrefixes, tyro.conf.DisallowNone)
        )
    # each line of a description would become a completion
    lines = said.getvalue().splitlines(keepends=True)
    return "".join(line.replace("\\n", " ") if line.startswith("COMPLETION_SPEC") else line for line in lines)


def install_completion(commands: Iterable[str], places: dict[str, str], shell: str | None) -> str:
    """Write the script to the place where the shell looks for it.

    Args:
        commands, places: see `completion_script`.
        shell: bash or zsh; None takes the user's.

    Returns:
        A message for the user: the path of the script, and the remaining steps.

    Raises:
        InputError: another shell, or a folder that cannot be written.
    """
    shell = shell or Path(os.environ.get("SHELL", "")).name
    homes = {
        "bash": Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
        / "bash-completion/completions/sean",
        "zsh": Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zfunc/_sean",
    }
    if shell not in homes:
        raise InputError(
            f"expected the shell as {' or '.join(homes)}, got {shell or 'nothing'}; name it after the option"
        )
    path = homes[shell]
    write_text_atomic(path, completion_script(commands, places, shell))
    left = {
        "bash": "a new shell completes sean; that needs the package bash-completion",
        "zsh": "after 'fpath+=~/.zfunc; autoload -Uz compinit; compinit' in .zshrc, a new shell completes sean",
    }
    return f"{path} written; {left[shell]}"


def _chooser(members: dict[str, Callable[..., Any]]) -> Callable[..., None]:
    """A function whose one parameter is one of the commands of a group."""

    def choose(command: Any) -> None: ...

    kinds = [Annotated[Any, tyro.conf.subcommand(name, constructor=call)] for name, call in members.items()]
    choose.__annotations__["command"] = functools.reduce(operator.or_, kinds)
    return choose
