"""The Hugging Face hub: folders of networks from and to it, and the head of a model card. Light: no torch."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sean.errors import InputError

LIBRARY = "sean"


class Task(NamedTuple):
    """What networks do: the task's name on the hub, and the tag of its narrower field."""

    name: str
    tag: str


SYNTHESIS = Task("image-to-image", "semantic-image-synthesis")
SEGMENTATION = Task("image-segmentation", "semantic-segmentation")

_SPDX = re.compile(r"\bSPDX: ([\w.-]+)")


def download_folder(
    repo_id: str,
    names: list[str],
    *,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Path:
    """The files of a model repository, in the cache of the hub's client.

    Args:
        repo_id: owner/name.
        names: of the files; missing ones are skipped.
        revision: branch, tag or commit; None is the main branch.
        cache_dir: folder for downloads; None takes the client's own.
        token: of the hub, for private repositories; None takes the client's own, False sends none.
        local_files_only: use earlier downloads only, without network access.

    Raises:
        InputError: the hub refuses, is unreachable, or there is no earlier download.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            repo_id,
            revision=revision,
            cache_dir=None if cache_dir is None else Path(cache_dir),
            token=token,
            local_files_only=local_files_only,
            allow_patterns=names,
        )
    except Exception as error:  # the hub client raises a dozen kinds, of its own and of its HTTP library
        raise InputError(f"no local folder {repo_id!r}, and the hub did not give it: {_reason(error)}") from error
    return Path(folder)


def upload_folder(
    folder: Path,
    repo_id: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    private: bool = False,
    message: str = "Upload by sean",
) -> str:
    """Upload a folder as one commit to a model repository, which is created if it does not exist.

    Args:
        folder: with all files to upload.
        repo_id: owner/name.
        revision: the branch, created if it does not exist; None is the main branch.
        token: of the hub; None takes the client's own.
        private: whether a new repository is visible to its owner only.
        message: of the commit.

    Returns:
        the address of the commit.

    Raises:
        InputError: the hub refuses or is unreachable.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        commit = api.upload_folder(repo_id=repo_id, folder_path=folder, revision=revision, commit_message=message)
    except Exception as error:  # as above
        raise InputError(f"the hub did not take {repo_id!r}: {_reason(error)}") from error
    return str(commit.commit_url)


def with_card_head(
    card: str,
    title: str,
    *,
    licence: str | None = None,
    datasets: list[str] | None = None,
    tags: list[str] | None = None,
    task: Task = SYNTHESIS,
    scores: Mapping[str, float] | None = None,
    data: str = "",
) -> str:
    """A model card with the YAML head that the hub reads.

    A head that is there keeps its values: only a licence and data sets that it lacks are added, and scores replaced.

    Args:
        card: Markdown; may be empty.
        title: of the model.
        licence: of the weights, by its hub or SPDX name; names unknown to the hub become "other".
        datasets: hub ids of the training data.
        tags: in addition to "sean" and that of the task.
        task: of the network.
        scores: of an evaluation, by the name of the metric.
        data: name of the data of the scores.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    settings: dict[str, Any] = {}
    if licence is not None:
        own = licence.startswith("LicenseRef-")
        settings |= {"license": "other", "license_name": licence.lower()} if own else {"license": licence.lower()}
    if datasets:
        settings["datasets"] = datasets
    if scores:
        settings["model_name"] = title
        settings["eval_results"] = [
            EvalResult(
                task_type=task.name,
                dataset_type="custom",
                dataset_name=data,
                metric_type=name,
                metric_value=round(value, 4),
            )
            for name, value in scores.items()
        ]
    if card.startswith("---\n"):
        edited = ModelCard(card)
        kept = {"datasets": ["datasets"], "license": ["license", "license_name"]}
        kept_names = {name for known, names in kept.items() if edited.data.get(known) for name in names}
        added = {name: value for name, value in settings.items() if name not in kept_names}
        for name, value in added.items():
            edited.data[name] = value
        return str(edited) if added else card
    tags = [LIBRARY, task.tag, *(tags or [])]
    head = ModelCardData(library_name=LIBRARY, pipeline_tag=task.name, tags=tags, **settings).to_yaml()
    return f"---\n{head}\n---\n\n{card or f'# {title}'}\n"


def spdx_of(terms: str) -> str | None:
    """The SPDX identifier that terms of weights name, as "SPDX: apache-2.0" in a LICENSE; None if they name none."""
    named = _SPDX.search(terms)
    return None if named is None else named[1]


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
