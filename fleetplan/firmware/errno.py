"""The errors that KVM's register ioctls return."""

from __future__ import annotations

from enum import IntEnum


class Errno(IntEnum):
    """Linux errno values; the name is what is printed."""

    EPERM = 1
    ENOENT = 2
    E2BIG = 7
    ENOEXEC = 8
    EFAULT = 14
    EBUSY = 16
    EINVAL = 22
