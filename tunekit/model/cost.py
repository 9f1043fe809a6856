"""What a job will probably cost, and what the service says it has billed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# Above this share of training rows that the service did not train on, a job is flagged.
MOST_DROPPED_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Price:
    """What training costs. `source` says where that stands, `as_of` when it was read there."""

    usd_per_million_tokens: float
    source: str
    as_of: str = ""
    confidence: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """An estimate of one job. Tokens are billable ones of one epoch.

    `epochs` None: the provider chooses. `price` None: not known, unless the provider is free.
    `unpriced_rows` hold more than text, which tokens do not count: no dollars where there are any.
    """

    tokens: int
    tokens_low: int
    tokens_high: int
    epochs: int | None
    price: Price | None = None
    is_free: bool = False
    unpriced_rows: int = 0

    @property
    def usd(self) -> float | None:
        return self._usd(self.tokens)

    @property
    def usd_low(self) -> float | None:
        return self._usd(self.tokens_low)

    @property
    def usd_high(self) -> float | None:
        return self._usd(self.tokens_high)

    def usd_an_epoch(self, tokens: int) -> float | None:
        """Return the price of one epoch of so many tokens; None where no price is known."""
        if self.is_free:
            return 0.0
        return None if self.price is None else tokens * self.price.usd_per_million_tokens / 1e6

    def _usd(self, tokens: int) -> float | None:
        each = self.usd_an_epoch(tokens)
        if self.is_free or each is None:
            return each
        return None if self.epochs is None or self.unpriced_rows else each * self.epochs

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as plain data, its dollars too."""
        return {**asdict(self), "usd": self.usd, "usd_low": self.usd_low, "usd_high": self.usd_high}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Cost:
        """Return what `to_json` wrote down."""
        # Former records lack the last one.
        given = {"unpriced_rows": 0, **{k: data[k] for k in cls.__slots__ if k in data}}
        price = given["price"]
        return cls(**{**given, "price": Price(**price) if price else None})


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """A row that the service did not train on: its number in the training file, from 1."""

    number: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DataStats:
    """What a service says of a job's training rows. `billable_tokens` are those of one epoch.

    `dropped_rows` may be only some of the `dropped` ones. `epochs`: what was trained for.
    """

    rows: int | None = None
    billable_tokens: int | None = None
    epochs: int | None = None
    dropped: int = 0
    dropped_rows: tuple[DroppedRow, ...] = ()

    @property
    def dropped_share(self) -> float | None:
        """The share of rows that were dropped, 0 to 1; None where nobody says of how many."""
        return min(self.dropped / self.rows, 1.0) if self.rows else None

    @property
    def is_flagged(self) -> bool:
        """True where so many rows were dropped that the job is not what was asked for."""
        if self.dropped_share is None:
            return self.dropped > 0
        return self.dropped_share > MOST_DROPPED_SHARE

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DataStats:
        """Return what `dataclasses.asdict` made plain data of."""
        rows = tuple(DroppedRow(**row) for row in data["dropped_rows"])
        return cls(**{**data, "dropped_rows": rows})
