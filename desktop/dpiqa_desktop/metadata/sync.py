"""Takes over scores that files carry, from another machine's run, so that nothing is scored twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from dpiqa_desktop.engine.store import Judged, Record, Store, content_hash, file_state
from dpiqa_desktop.metadata import properties as prop
from dpiqa_desktop.metadata.plan import Said
from dpiqa_desktop.metadata.targets import Listing, said_by_all
from dpiqa_plugin.errors import PhotoError

_BATCH = 256


def sync(photos: Sequence[str], store: Store, model: str) -> int:
    """Fill the store from photos and their sidecars; return how many scores were taken over.

    Only of the same model and weights, and only where the store knows none. Whether a photo was edited since
    it was scored, a file does not tell.

    Args:
        photos: paths.
        store: to be filled.
        model: identity of the back end, see ``Backend.identity``.

    Raises:
        StoreError: the store cannot be written.
    """
    taken = 0
    records: list[Record] = []
    for record in _records(photos, store, model):
        records.append(record)
        if len(records) == _BATCH:
            store.record(records, model)
            taken += len(records)
            records.clear()
    store.record(records, model)
    return taken + len(records)


def _records(photos: Sequence[str], store: Store, model: str) -> Iterator[Record]:
    listing = Listing()
    for photo in photos:
        try:
            state = file_state(photo)
            if store.find(photo, state, model):
                continue
            content = content_hash(photo)
            if store.find_content(content, model):
                continue
            judged = next(filter(None, (_judged(said, model) for said in said_by_all(photo, listing))), None)
            if judged:
                yield Record(photo, state, content, judged)
        except (OSError, PhotoError):
            continue  # scoring it will tell what is wrong


def _judged(said: Said, model: str) -> Judged | None:
    """The score that a document carries, if it is the model's; None else, or if it makes no sense."""
    if f"{said.text(prop.MODEL)}-{said.text(prop.MODEL_HASH)}" != model:
        return None
    try:
        score = float(said.text(prop.SCORE) or "")
        scored_at = datetime.strptime(said.text(prop.SCORED_AT) or "", prop.TIME_FORMAT)
        written = said.text(prop.UNCERTAINTY)
        uncertainty = None if written is None else float(written)
    except ValueError:
        return None
    if not 0 <= score <= 1 or (uncertainty is not None and not 0 < uncertainty <= 1):
        return None
    return Judged(score, None, None, scored_at.replace(tzinfo=timezone.utc).timestamp(), uncertainty)
