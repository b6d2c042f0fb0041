"""The series that a visitor has fetched or uploaded, for as long as their browser tab is open."""

import zlib
from dataclasses import dataclass, field

from apps.forecasting.series import Series
from shared.errors import UserError

MAX_SESSION_BYTES = 12 * 2**20
MAX_SERIES = 50  # of one file


@dataclass(frozen=True)
class OwnSeries:
    """A visitor's series by key, the newest first, and packed the files that they came from."""

    series: dict[str, Series] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def nbytes(self):
        """Bytes in use; series of one file share it."""
        files = {id(packed): len(packed) for packed in self.files.values()}
        return sum(series.nbytes for series in self.series.values()) + sum(files.values())

    def find(self, key):
        """The series of a key.

        Raises:
            UserError: if there is none.
        """
        if key not in self.series:
            raise UserError("These prices are no longer here. Fetch or upload them again.")
        return self.series[key]

    def add(self, new, content=None):
        """This with new series in front; the oldest go where they would exceed the limit.

        Args:
            new: List of `Series`.
            content: The bytes of their file, or None; kept if there is room for them.

        Returns:
            The new `OwnSeries`, and the key of the first new series.

        Raises:
            UserError: if the new ones alone exceed the limit.
        """
        count = 1 + max((int(key.split("-")[1]) for key in self.series), default=-1)
        keys = [f"own-{count + n}-{series.name}" for n, series in enumerate(new)]
        own = OwnSeries(dict(zip(keys, new, strict=True)))
        if own.nbytes > MAX_SESSION_BYTES:
            raise UserError(
                f"These prices take {own.nbytes / 2**20:.0f} MB; at most "
                f"{MAX_SESSION_BYTES // 2**20} MB are held for a visitor. Upload fewer rows."
            )
        if content is not None:
            packed = zlib.compress(content, 1)
            with_file = OwnSeries(own.series, dict.fromkeys(keys, packed))
            own = with_file if with_file.nbytes <= MAX_SESSION_BYTES else own
        for key, series in self.series.items():
            files = {key: self.files[key]} if key in self.files else {}
            larger = OwnSeries({**own.series, key: series}, {**own.files, **files})
            if larger.nbytes > MAX_SESSION_BYTES:
                break
            own = larger
        return own, keys[0]

    def read_file(self, key):
        """The content of the file that a series came from, or None."""
        return zlib.decompress(self.files[key]) if key in self.files else None
