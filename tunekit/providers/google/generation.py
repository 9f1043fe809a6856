"""Answers to many requests: a few asked for at once, given back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from tunekit.model import Completion

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

_MOST_REASON_CHARACTERS = 80


def in_order(
    ask: Callable[[Asked], Answer], asked: Iterable[Asked], *, at_once: int
) -> Iterator[Answer]:
    """Yield one answer each, in order; at an error, what came before it has been yielded."""
    waiting = iter(asked)
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="tunekit-ask")
    flying: deque[Future[Answer]] = deque()
    try:
        flying.extend(pool.submit(ask, one) for one in islice(waiting, at_once))
        while flying:
            yield flying.popleft().result()
            flying.extend(pool.submit(ask, one) for one in islice(waiting, 1))
    finally:
        # Nobody waits for what is still in flight: Ctrl-C is obeyed at once.
        pool.shutdown(wait=False, cancel_futures=True)


def completion(answer: Mapping[str, Any]) -> Completion:
    """Return the first candidate's text; a blocked or empty answer is empty and says why."""
    candidates = answer.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    if not isinstance(first, Mapping):
        feedback = answer.get("promptFeedback")
        reason = feedback.get("blockReason") if isinstance(feedback, Mapping) else None
        return Completion("", finish=str(reason or "NO_CANDIDATES")[:_MOST_REASON_CHARACTERS])
    content = first.get("content")
    parts = content.get("parts") if isinstance(content, Mapping) else None
    texts = [
        part["text"]
        for part in (parts if isinstance(parts, list) else [])
        # A thinking model's thoughts are not its answer.
        if isinstance(part, Mapping)
        and isinstance(part.get("text"), str)
        and not part.get("thought")
    ]
    finish = str(first.get("finishReason") or "")[:_MOST_REASON_CHARACTERS]
    return Completion("".join(texts), finish=finish)
