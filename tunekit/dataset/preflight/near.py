"""Held-out rows that are nearly a row of train.

Candidates by MinHash in bands (A. Broder, "On the resemblance and containment of documents", 1997)
over what begins at each word, for many rows at once in numpy; rapidfuzz then compares the texts.
Memory: 16 bytes a training row, more than twice that at the end. The texts of train wait in an
unnamed temporary file.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

from tunekit.dataset.preflight.batch import Batch, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

BANDS, _PER_BAND = 3, 2
# Of 100: what two texts have in common (Indel similarity), case aside.
ALIKE = 90.0
# Two such texts of a word or two say little.
_SHORTEST = 20
_LONGEST = 2000
# Training rows to compare with, a band.
_MOST_COMPARED = 4
_WINDOW = 8
_GAP = b"\0" * _WINDOW
_FACTORS = (
    *(0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9),
    *(0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB),
)


class NearLeaks:
    """Finds held-out rows that differ in a word or two from a row of train.

    `leaked` names the lines that are known to be there word for word.
    """

    def __init__(self, leaked: Mapping[str, Set[int]]) -> None:
        self._leaked = leaked
        self._train = array("I")
        self._sizes = array("I")
        self._held: list[tuple[Sequence[int], list[bytes], str, NDArray[Any]]] = []
        self._is_whole = True

    @cached_property
    def _file(self) -> IO[bytes]:
        return tempfile.TemporaryFile()

    def take(self, batch: Batch, tally: Tally) -> None:
        rows = zip(batch.texts, batch.text_bytes, batch.beyond, strict=True)
        raws = [  # of what is more than text, the text says little: it is like no other row
            b""
            if beyond
            else raw[:_LONGEST].lower()
            if raw.isascii()
            else text[:_LONGEST].lower().encode()
            for text, raw, beyond in rows
        ]
        bands = sketches(raws)
        if batch.split != "train":
            self._held.append((batch.lines, raws, batch.split, bands))
            return
        self._train.frombytes(bands.tobytes())
        self._sizes.extend(map(len, raws))
        if self._is_whole:
            try:
                self._file.write(b"".join(raws))
            except OSError:  # no room: what can't be compared is not claimed
                self._is_whole = False

    def finish(self, tally: Tally) -> None:
        import numpy as np

        if not self._held or not self._train or not self._is_whole:
            return
        ends = np.cumsum(np.frombuffer(self._sizes, dtype=np.uint32), dtype=np.int64)
        rows = self._candidates(np.concatenate([bands for _, _, _, bands in self._held]))
        before = 0
        for lines, texts, split, _ in self._held:
            of_batch = rows[before : before + len(lines)]
            before += len(lines)
            known = self._leaked.get(split, set())
            for place in np.flatnonzero((of_batch >= 0).any(axis=1)).tolist():
                line, text = lines[place], texts[place].decode()
                if line in known or len(text) < _SHORTEST:
                    continue
                others = sorted({row for row in of_batch[place].tolist() if row >= 0})
                if self._is_near(text, others, ends):
                    fact = f"at least {ALIKE:g}% alike with a row of train"
                    tally.add("near-leak", split, fact, line)
        self._file.close()

    def _candidates(self, held: NDArray[Any]) -> NDArray[Any]:
        """Return for each held-out row's bands the rows of train to compare with; -1 for none."""
        import numpy as np

        train = np.frombuffer(self._train, dtype=np.uint32).reshape(-1, BANDS)
        rows = np.full((len(held), BANDS * _MOST_COMPARED), -1, dtype=np.int32)
        for band in range(BANDS):  # one after another, for each takes 16 bytes a row of train
            order = np.argsort(train[:, band])
            keys = train[order, band]
            low = np.searchsorted(keys, held[:, band], "left")
            high = np.searchsorted(keys, held[:, band], "right")
            for rank in range(_MOST_COMPARED):
                has_row = low + rank < high
                rows[has_row, band * _MOST_COMPARED + rank] = order[low[has_row] + rank]
        return rows

    def _is_near(self, text: str, rows: Sequence[int], ends: NDArray[Any]) -> bool:
        from rapidfuzz.fuzz import ratio

        for row in rows:
            size = self._sizes[row]
            self._file.seek(int(ends[row]) - size)
            other = self._file.read(size).decode()
            if ratio(text, other, score_cutoff=ALIKE):
                return True
        return False


def sketches(texts: Sequence[bytes]) -> NDArray[Any]:
    """Return `BANDS` numbers a text: two texts with the same words share each with high chance."""
    import numpy as np

    data = b"".join((_GAP, _GAP.join(texts), _GAP, _GAP))
    octets = np.frombuffer(data, dtype=np.uint8)
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    starts = _WINDOW + np.concatenate(([0], np.cumsum(lengths[:-1] + _WINDOW)))
    # A window begins at each word, and at each letter of scripts that are written without spaces;
    # not past a text's last space, where there is nothing of it to compare.
    begins = ((octets[:-1] <= ord(" ")) & (octets[1:] > ord(" "))) | (octets[1:] >= 0xE0)
    begins = np.concatenate(([False], begins))
    begins[starts] = True
    places = np.flatnonzero(begins[: len(data) - _WINDOW])
    windows = np.ndarray((len(data) - _WINDOW,), dtype="<u8", buffer=data, strides=(1,))[places]
    firsts = np.searchsorted(places, starts)
    bands = np.empty((len(texts), BANDS), dtype=np.uint32)
    for band in range(BANDS):
        one, two = (
            np.minimum.reduceat(windows * np.uint64(factor), firsts)
            for factor in _FACTORS[band * _PER_BAND : (band + 1) * _PER_BAND]
        )
        bands[:, band] = (one * np.uint64(_FACTORS[0]) ^ two) >> np.uint64(32)
    return bands
