"""Tokens counted on this machine: google-genai's local tokenizer, which sends no text anywhere.

It is experimental, knows plain text only, and reads a vocabulary that it downloads once: Gemma 3's
into the folder for temporary files, of newer models Gemma 4's by `transformers`.
Source: google.genai.local_tokenizer of google-genai 2.34.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tunekit.errors import MissingExtra, ProviderError, Unsupported
from tunekit.providers.google.faults import plain
from tunekit.providers.google.packages import load

EXTRA = "tokenizer"
_PACKAGES = "google-genai with sentencepiece"


def counter(model: str) -> Callable[[Iterable[str]], int]:
    """Return what counts the tokens of some texts as a model reads them; loads its vocabulary.

    Unsupported for a model whose tokenizer google-genai does not know; MissingExtra, ProviderError
    where what it needs is not here.
    """
    with _said(model):
        sdk = load("google.genai.local_tokenizer", package=_PACKAGES, extra=EXTRA)
        tokenizer: Any = sdk.LocalTokenizer(model)

    def count(texts: Iterable[str]) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is experimental, at every call
            return int(tokenizer.count_tokens(list(texts)).total_tokens or 0)

    return count


@contextmanager
def _said(model: str) -> Iterator[None]:
    """Turn what the package raises while it loads a tokenizer into our errors."""
    try:
        yield
    except MissingExtra:
        raise
    except ValueError as error:
        if "is not supported" not in str(error):
            raise ProviderError(f"the tokenizer of {model}: {plain(str(error))}") from error
        raise Unsupported(
            f"google-genai knows no tokenizer of {model[:200]}; update it, or use "
            "--count-tokens provider"
        ) from error
    except ImportError as error:
        raise ProviderError(
            f"the tokenizer of {model} needs transformers and torch, which are large; run: "
            "pip install 'google-genai[local-tokenizer]', or use --count-tokens provider"
        ) from error
    except OSError as error:  # of requests and of huggingface_hub too
        said = plain(str(error).partition("\n")[0])
        raise ProviderError(
            f"the vocabulary of {model} is not on this machine and can't be downloaded: {said}; "
            "it is needed once: try again where the network is, or use --count-tokens provider"
        ) from error
    except Exception as error:
        # Such as protobuf's VersionError, where sentencepiece was made for a newer one.
        raise ProviderError(
            f"google-genai's tokenizer can't be loaded ({type(error).__name__}: "
            f"{plain(str(error))}); run: pip install 'tunekit[{EXTRA}]'"
        ) from error
