"""Files that are written whole or not at all, and by one run at a time.

What is written goes to a draft beside the file, which then takes its place in one step; so whoever is killed, or finds the disk full,
leaves the file as it was. The draft has one name, and is locked: a second run that would write the same file is refused before it begins
to work. The lock goes with the process. A draft that somebody killed has left is taken over.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LONGEST_NAME = 240
"""Bytes of a file name that leave room for what a draft's name has besides."""


class BusyError(OSError):
    """Another process is going to write this file, or is writing it."""

    def __init__(self, path: Path) -> None:
        told = "another run of fleetplan is going to write it; wait for its end, or write to another file"
        super().__init__(errno.EBUSY, told, str(path))


@dataclass(frozen=True, slots=True)
class Draft:
    """A claim on a file. `descriptor` None: it is no plain file (a pipe, a device), and is written as it is."""

    path: Path
    draft: Path
    descriptor: int | None

    def write(self, pieces: Iterable[bytes]) -> None:
        """Make the file of these pieces. Once. Raises OSError, leaving it as it was."""
        if self.descriptor is None:
            with self.path.open("wb") as stream:
                stream.writelines(pieces)
            return
        with os.fdopen(os.dup(self.descriptor), "wb") as stream:
            stream.writelines(pieces)
            stream.flush()
            os.fsync(stream.fileno())
        os.fchmod(self.descriptor, _mode(self.path))
        self.draft.replace(self.path)
        _sync_folder(self.path.parent)


@contextmanager
def claimed(path: Path) -> Iterator[Draft]:
    """Keep a file for ourselves until the end of the block, in which it may be written. Raises OSError, such as BusyError."""
    if path.is_dir():
        raise IsADirectoryError(21, "Is a directory", str(path))
    target = path.resolve() if path.is_symlink() else path
    if target.exists() and not target.is_file():
        yield Draft(target, target, None)
        return
    draft = target.with_name(_draft_name(target.name))
    descriptor = _locked(draft, path)
    try:
        yield Draft(target, draft, descriptor)
    finally:
        _drop(draft, descriptor)


def write_atomically(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file: at every moment it is the old one or the new one, whole. Raises OSError, such as BusyError, leaving the old one."""
    with claimed(path) as draft:
        draft.write(pieces)


def _draft_name(name: str) -> str:
    fits = len(os.fsencode(name)) <= LONGEST_NAME
    return f".{name if fits else hashlib.sha256(os.fsencode(name)).hexdigest()}.draft"


def _locked(draft: Path, path: Path) -> int:
    """The draft, empty, open and locked."""
    while True:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is(draft, descriptor):
                os.ftruncate(descriptor, 0)
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise BusyError(path) from None
        except BaseException:
            os.close(descriptor)
            raise
        # Between opening and locking, the other run has put it in the place of the file.
        os.close(descriptor)


def _is(draft: Path, descriptor: int) -> bool:
    """Whether a name still stands for an open file."""
    try:
        return os.path.samestat(draft.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _drop(draft: Path, descriptor: int) -> None:
    """Leave no draft, and let others write. As long as the lock holds, the draft is ours."""
    if _is(draft, descriptor):
        draft.unlink(missing_ok=True)
    os.close(descriptor)


def _mode(target: Path) -> int:
    """The permissions of the file that is replaced, or those that a new one gets."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
