"""Karpathy's split files ``dataset_{coco,flickr30k,flickr8k}.json`` (METHODS 4.5, 4.6).

``{"images": [{"filename", "split", "sentences": [{"raw", "sentid"}]}]}``; COCO's also has
``filepath`` (the photo's folder), ``cocoid`` and, as ``sentid``, the official caption ids.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from facetwise.data.benchmarks.captions import Captioned, numbered_caption
from facetwise.data.benchmarks.reading import json_object
from facetwise.errors import InputError

__all__ = ["karpathy_images"]


def karpathy_images(file: Path, splits: Collection[str]) -> list[Captioned]:
    """The images of some splits, in the order of the file, with all of their captions.

    Args:
        file: one of the three.
        splits: as the file calls them: ``train``, ``restval``, ``val``, ``test``.

    Returns:
        With COCO's own ids where the file has them; else an image's id is its file name, and its
        captions are ``IMAGE#N``.

    Raises:
        InputError: it is no such file, or an entry lacks something.
    """
    images = json_object(file).get("images")
    if not isinstance(images, list):
        raise InputError(f"{file} has no list 'images'; is it Karpathy's file?")
    found = []
    for place, entry in enumerate(images, 1):
        try:
            if entry["split"] in splits:
                found.append(_image(entry))
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{file} image {place}: {type(error).__name__} {error}, expected filename, split "
                "and sentences with raw and sentid; get the file again"
            ) from None
    return found


def _image(entry: Mapping[str, Any]) -> Captioned:
    photo = str(Path(str(entry.get("filepath") or ""), str(entry["filename"])))
    texts = [(sentence, sentence["raw"].strip()) for sentence in entry["sentences"]]
    if "cocoid" in entry:
        ids = [str(sentence["sentid"]) for sentence, text in texts if text]
        image = str(entry["cocoid"])
    else:
        image = str(entry["filename"])
        ids = [numbered_caption(image, number) for number, (_, text) in enumerate(texts) if text]
    return Captioned(image, photo, list(zip(ids, (text for _, text in texts if text), strict=True)))
