"""What the authors of a data set have published: files, checksums, and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin


@dataclass(frozen=True)
class PublishedFile:
    """A file to download. An archive (.tar.gz) is unpacked and then deleted; other files are kept."""

    name: str
    md5: str
    size: int | None = None
    """In bytes; None if it is not known."""
    members: Mapping[str, str] = field(default_factory=dict)
    """Of an archive: the name in it -> MD5 of every file that is read."""

    @property
    def contents(self) -> Mapping[str, str]:
        """The files that are there in the end: name below the set's folder -> MD5."""
        return self.members or {self.name: self.md5}


@dataclass(frozen=True)
class Release:
    """All files of a data set. Tests use smaller releases."""

    files: tuple[PublishedFile, ...]
    mirrors: tuple[str, ...]
    """Addresses of folders with the files, tried in this order; each ends with a slash."""
    unpacked_bytes: int = 0
    """What is written besides the downloaded files."""
    max_unpacked_bytes: int = 400_000_000
    """Of the whole archive, with what is not needed. A few megabytes can unpack to any size."""

    @property
    def contents(self) -> dict[str, str]:
        """The files that are there in the end: name below the set's folder -> MD5."""
        return {name: md5 for file in self.files for name, md5 in file.contents.items()}

    @property
    def size(self) -> int:
        """Of all files to download, in bytes, as far as it is known."""
        return sum(file.size or 0 for file in self.files)

    def addresses(self, file: PublishedFile, override: str | None) -> list[str]:
        """Where to download a file from. `override` is the address of the only file, or of a folder."""
        if override is None:
            return [urljoin(mirror, file.name) for mirror in self.mirrors]
        if len(self.files) == 1 and not override.endswith("/"):
            return [override]
        return [f"{override.rstrip('/')}/{file.name}"]
