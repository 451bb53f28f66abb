"""Files of one data folder in another one, without a second copy where the file system allows it."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from sean.errors import InputError
from sean.files import atomic_write


def link_or_copy(source: Path, destination: Path) -> None:
    """Make `destination` the same file as `source` by a hard link, or a copy where there are no links.

    A file that is there already is replaced. The link does not endanger the source: writers here replace files, they
    do not write into them.

    Raises:
        InputError: the source cannot be read, or the destination cannot be written.
    """
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {destination}: {error.strerror}; choose a writable folder") from error
    with suppress(OSError):  # another file system, or one without links
        os.link(source.resolve(), destination)
        return
    with atomic_write(destination) as temporary:
        shutil.copyfile(source, temporary)
