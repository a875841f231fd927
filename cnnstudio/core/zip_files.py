"""What makes a zip file from a stranger harmful, found before anything of it is unpacked."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

from cnnstudio.core.files import open_regular
from cnnstudio.core.parameters import shorten

_END, _END_SIZE, _MAX_COMMENT = b"PK\x05\x06", 22, 2**16
_ZIP64_LOCATOR, _ZIP64_LOCATOR_SIZE = b"PK\x06\x07", 20
_ZIP64_END, _ZIP64_END_SIZE = b"PK\x06\x06", 56
_MAX_DIRECTORY_BYTES = 256 * 2**20
_MAX_NAMED = 1_000_000
_ENTRY, _ENTRY_SIZE = b"PK\x01\x02", 46
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def directory_size(file: BinaryIO) -> tuple[int, bool] | None:
    """The size in bytes of the list of members, which takes memory to read, and whether it is of zip64.

    None if the file is not a zip file. The position is at the start afterwards.
    """
    size = file.seek(0, os.SEEK_END)
    tail_size = min(size, _END_SIZE + _MAX_COMMENT + _ZIP64_LOCATOR_SIZE)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_SIZE:
        file.seek(0)
        return None
    (found,) = struct.unpack_from("<I", tail, end + 12)
    locator = tail[max(end - _ZIP64_LOCATOR_SIZE, 0) : end]
    if locator.startswith(_ZIP64_LOCATOR):
        file.seek(min(struct.unpack_from("<Q", locator, 8)[0], size))
        record = file.read(_ZIP64_END_SIZE)
        file.seek(0)
        if not record.startswith(_ZIP64_END) or len(record) < _ZIP64_END_SIZE:
            return None
        return struct.unpack_from("<Q", record, 40)[0], True
    file.seek(0)
    return found, False


def has_more_members(file: BinaryIO, most: int) -> bool:
    """Whether a zip file lists more than `most` members, counted without keeping any of them.

    The number that the file itself says need not be true. The position is at the start afterwards.
    """
    found = directory_size(file)
    if found is None or found[0] <= most * _ENTRY_SIZE:
        return False
    size, is_zip64 = found
    end = file.seek(0, os.SEEK_END)
    tail_size = min(end, _END_SIZE + _MAX_COMMENT)
    file.seek(end - tail_size)
    end += file.read(tail_size).rfind(_END) - tail_size
    position = end - size - (_ZIP64_END_SIZE + _ZIP64_LOCATOR_SIZE if is_zip64 else 0)
    count = 0
    file.seek(max(position, 0))
    while count <= most:
        entry = file.read(_ENTRY_SIZE)
        if len(entry) < _ENTRY_SIZE or not entry.startswith(_ENTRY):
            break
        count += 1
        file.read(sum(struct.unpack_from("<3H", entry, 28)))
    file.seek(0)
    return count > most


def member_names(path: Path) -> list[str] | None:
    """The names in a zip file, to guess what it is; None if it is none, is damaged, or lists very many."""
    try:
        with open_regular(path, None) as file:
            size = directory_size(file)
            if size is None or size[0] > _MAX_DIRECTORY_BYTES or has_more_members(file, _MAX_NAMED):
                return None
            with zipfile.ZipFile(file) as archive:
                return archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        return None


def harm_of(entry: zipfile.ZipInfo) -> str:
    """Why a member must not be unpacked, as the end of a sentence; empty if it may be."""
    name = entry.filename
    shown = f"“{shorten(name, 100)}”"
    parts = name.rstrip("/").split("/")
    leads_out = name.startswith("/") or "\\" in name or any(part in ("", ".", "..") for part in parts)
    if leads_out or PureWindowsPath(name).drive or (os.name == "nt" and ":" in name):
        return f"{shown} leads out of its folder"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return f"{shown} is a link or a device"
    if entry.flag_bits & 0x1:
        return f"{shown} is encrypted"
    return "" if entry.compress_type in _METHODS else f"{shown} is compressed in a way that is not supported"
