"""What Vertex AI tunes, where, how large and at what price: one table, by its date.

`as_of` is when its pages were read; `confidence` says how well a line is known: high (a schema or
Google's own page), medium (one page or one report), low (inferred). The service decides: what may
have changed since is a warning, and only what surely fails is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tunekit.model import Hyperparameter, Price

VERSION = 1
AS_OF = date(2026, 11, 21)

_DOCS = "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models"
SUPERVISED_URL = f"{_DOCS}/tuning/supervised-tuning"
PREFERENCE_URL = f"{_DOCS}/tuning/preference-tuning"
VERSIONS_URL = f"{_DOCS}/model-versions"
OPEN_URL = "https://docs.cloud.google.com/vertex-ai/generative-ai/docs/models/open-model-tuning"
PRICES_URL = "https://cloud.google.com/vertex-ai/generative-ai/pricing"


@dataclass(frozen=True, slots=True)
class BaseModel:
    """One line. Empty `tuned_in` or `served_in`: not known, so not checked.

    `usd_per_million_tokens`: of training tokens, each epoch's counted. `retired`: since when it
    can't be tuned.
    """

    name: str
    methods: frozenset[str]
    adapter_sizes: tuple[int, ...]
    usd_per_million_tokens: float
    tuned_in: tuple[str, ...] = ()
    served_in: tuple[str, ...] = ()
    retired: date | None = None
    url: str = SUPERVISED_URL
    confidence: str = "medium"


HYPERPARAMETERS = {
    "epochs": Hyperparameter(minimum=1),
    "learning_rate_multiplier": Hyperparameter(minimum=1e-9),
    "adapter_size": Hyperparameter(choices=(1, 2, 4, 8, 16)),
}

_SFT = frozenset({"supervised"})
METHODS = frozenset({"supervised", "preference"})
_ADAPTERS = (1, 2, 4, 8, 16)
# Regions and serving locations of 3.x: high. Prices: medium; the price page itself was not read.
_THIRD = ("us-central1", "europe-west4")
_RETIRED = date(2026, 10, 20)

BASE_MODELS = {
    model.name: model
    for model in (
        BaseModel("gemini-3.5-flash", _SFT, _ADAPTERS, 10.0, _THIRD, ("us", "eu")),
        BaseModel("gemini-3.1-flash-lite", _SFT, _ADAPTERS, 3.0, _THIRD, ("us", "eu")),
        BaseModel("gemini-2.5-pro", _SFT, (1, 2, 4, 8), 25.0, retired=_RETIRED, url=VERSIONS_URL),
        BaseModel("gemini-2.5-flash", METHODS, _ADAPTERS, 5.0, retired=_RETIRED, url=VERSIONS_URL),
        BaseModel(
            "gemini-2.5-flash-lite", METHODS, _ADAPTERS, 1.5, retired=_RETIRED, url=VERSIONS_URL
        ),
    )
}

# The price page could not be read; these came from a course lesson and older notes about it.
PRICES = {
    model.name: Price(model.usd_per_million_tokens, PRICES_URL, f"{AS_OF}", "second-hand")
    for model in BASE_MODELS.values()
}

# Open models need outputUri and another row format; tunekit does not tune them. High.
OPEN_MODELS_IN = (
    *("global", "us-central1", "europe-west4", "us-west1", "us-east5", "asia-southeast1"),
)
OPEN_USD_PER_MILLION_TOKENS = {
    "meta/llama3_1@llama-3.1-8b-instruct": 0.67,
    "google/gemma-3-27b-it": 6.83,
    "qwen/qwen3@qwen3-32b": 6.57,
}

# High, all from SUPERVISED_URL.
MOST_FILE_BYTES = 1 << 30
MOST_ROWS = 10_000_000
MOST_TOKENS_A_ROW = 131_072
FEW_ROWS = 100
MOST_VALIDATION_ROWS = 5_000
# Beyond so many validation rows they may be at most this share of the training rows.
FREE_VALIDATION_ROWS = 1_000
MOST_VALIDATION_SHARE = 0.3
MOST_DISPLAY_NAME = 128
# Labels: https://cloud.google.com/compute/docs/labeling-resources#requirements
MOST_LABELS = 64
MOST_LABEL_CHARACTERS = 63
# A usual ratio for English; low. Only warnings come of it.
CHARACTERS_A_TOKEN = 4


def current() -> list[str]:
    """Return the base models that are not retired."""
    return [model.name for model in BASE_MODELS.values() if model.retired is None]


def serving_location(base: str, location: str) -> str:
    """Return where a base model answers that is tuned in `location`."""
    model = BASE_MODELS.get(base)
    if model is None or not model.served_in or location in model.served_in:
        return location
    return "eu" if location.startswith("europe") else "us"
