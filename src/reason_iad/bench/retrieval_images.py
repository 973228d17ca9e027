"""Is the category found from the image alone: the reference gallery, ranked, on images it has never seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.errors import DatasetError
from reason_iad.images import load_image

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone
    from reason_iad.bench.work import Unit
    from reason_iad.knowledge import Gallery


@dataclass(frozen=True, slots=True)
class Seen:
    """What the gallery takes one image for.

    Attributes:
        image: name, for people.
        category: the right one.
        rank: of the right category, from 1; None: the gallery does not have it.
        first: the category ranked first.
        score: cosine to its nearest image, in [-1, 1].
        margin: lead over the next category; None with one category only.
        decided: the category that an inspection would go on with; None: 'category unknown'.
    """

    image: str
    category: str
    rank: int | None
    first: str
    score: float
    margin: float | None
    decided: str | None


def classify_images(
    images: Iterable[tuple[str, str, Path]], gallery: Gallery, backbone: Backbone, *, score: float, margin: float
) -> Iterator[Seen]:
    """Rank the gallery's categories for each image.

    Args:
        images: (name, right category, file); none of them may be in the gallery.
        gallery: of the same model.
        backbone: embeds.
        score, margin: as in `InspectorConfig.category_score` and `category_margin`.

    Raises:
        ImageError: an image cannot be read.
    """
    from reason_iad.expert.embedding import image_embedding

    for name, category, file in images:
        vector = image_embedding(backbone.patch_features(load_image(file).pixels))
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


def gallery_of(units: Sequence[Unit], images: Path, backbone: Backbone, folder: Path, each: int) -> Gallery:
    """A gallery of the normal templates that the questions list, at most `each` per category, first named first.

    Args:
        units: images with their templates.
        images: folder that the keys are relative to.
        backbone: embeds.
        folder: where the gallery is made; must not exist.
        each: images per category.

    Raises:
        DatasetError: no image has a template.
        ImageError: a template cannot be read.
    """
    from reason_iad.expert.embedding import image_embedding
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
            vector = image_embedding(backbone.patch_features(image.pixels))
            rows.append(GalleryImage(category, vector, template, image.sha256))
    if not rows:
        raise DatasetError("The questions list no normal templates, so there is nothing to know the category by.")
    gallery = Gallery.create(folder, model=backbone.version.sha256, dimension=len(rows[0].vector))
    gallery.add_many(rows)
    return gallery
