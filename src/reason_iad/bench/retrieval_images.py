"""Is the category found from the image alone: the reference gallery, ranked, on images it has never seen."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.errors import DatasetError, ImageError
from reason_iad.images import load_image

if TYPE_CHECKING:
    from reason_iad.bench.work import Unit
    from reason_iad.expert.encoders.base import Encoder
    from reason_iad.knowledge import Gallery


@dataclass(frozen=True, slots=True)
class Seen:
    """What the gallery takes one image for.

    Attributes:
        image: name, for people.
        category: the right one.
        rank: of the right category, from 1; None: the gallery does not have it.
        first: the category ranked first; '' if the image cannot be read.
        score: cosine to its nearest image, in [-1, 1].
        margin: lead over the next category; None with one category only.
        decided: the category that an inspection would go on with; None: 'category unknown'.
        error: why the image cannot be read; the other fields then say nothing.
    """

    image: str
    category: str
    rank: int | None = None
    first: str = ""
    score: float = 0.0
    margin: float | None = None
    decided: str | None = None
    error: str | None = None


def classify_images(
    images: Iterable[tuple[str, str, Path]],
    gallery: Gallery,
    encoder: Encoder,
    *,
    score: float,
    margin: float,
    leave_out: Container[str] = (),
) -> Iterator[Seen | None]:
    """Rank the gallery's categories for each image; None for one that is left out.

    Args:
        images: (name, right category, file).
        gallery: of the same model.
        encoder: embeds.
        score, margin: as in `InspectorConfig.category_score` and `category_margin`.
        leave_out: hashes of the images that the gallery holds: finding those again would prove nothing.
    """
    from reason_iad.expert.embedding import image_embedding
    from reason_iad.expert.encoders.base import deepest

    for name, category, file in images:
        try:
            image = load_image(file)
            if image.sha256 in leave_out:
                yield None
                continue
            vector = image_embedding(deepest(encoder, image.pixels))
        except ImageError as error:
            yield Seen(name, category, error=str(error))
            continue
        ranked = gallery.rank(vector)
        names = [found for found, _ in ranked]
        evidence = gallery.classify(vector, min_score=score, min_margin=margin)
        yield Seen(
            image=name,
            category=category,
            rank=names.index(category) + 1 if category in names else None,
            first=names[0],
            score=ranked[0][1],
            margin=ranked[0][1] - ranked[1][1] if len(ranked) > 1 else None,
            decided=evidence.name,
        )


def gallery_of(
    units: Sequence[Unit], images: Path, encoder: Encoder, folder: Path, each: int
) -> tuple[Gallery, set[str]]:
    """A gallery of the normal templates that the questions list, at most `each` per category, first named first.

    Also returns the hashes of its images, so that none of them is looked for in it.

    Args:
        units: images with their templates.
        images: folder that the keys are relative to.
        encoder: embeds.
        folder: where the gallery is made; must not exist.
        each: images per category.

    Raises:
        DatasetError: no image has a template.
        ImageError: a template cannot be read.
    """
    from reason_iad.expert.embedding import image_embedding
    from reason_iad.expert.encoders.base import deepest
    from reason_iad.knowledge import Gallery
    from reason_iad.knowledge.gallery import GalleryImage

    chosen: dict[str, dict[str, None]] = {}
    for unit in units:
        for template in unit.templates:
            if len(chosen.setdefault(unit.category, {})) < each:
                chosen[unit.category][template] = None
    rows = []
    for category, templates in chosen.items():
        for template in templates:
            image = load_image(images / template)
            vector = image_embedding(deepest(encoder, image.pixels))
            rows.append(GalleryImage(category, vector, template, image.sha256))
    if not rows:
        raise DatasetError("The questions list no normal templates, so there is nothing to know the category by.")
    gallery = Gallery.create(folder, model=encoder.sha256, dimension=len(rows[0].vector))
    gallery.add_many(rows)
    return gallery, {row.sha256 for row in rows}
