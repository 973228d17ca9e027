"""The reference gallery: the category of an image, by the nearest known images (METHOD section 1, step 1).

Notable: vectors come from the caller and only mean something beside vectors of the same model, so a gallery
records which model made them and refuses any other. The search is exact (no approximate index), and new
images are found as soon as they are added.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reason_iad.errors import KnowledgeError
from reason_iad.knowledge import lance
from reason_iad.knowledge.text import sanitize
from reason_iad.schema import CategoryEvidence
from reason_iad.schema.names import name_key

LAYOUT = 1
_WHAT = "reference gallery"
_FORMAT = "reason-iad-gallery"
_TABLE = "images"
_OPTIMIZE_EVERY = 64  # single additions make small files; fold them together now and then


@dataclass(frozen=True, slots=True)
class GalleryImage:
    """One image of the gallery.

    Attributes:
        category: what it shows.
        vector: (d,) embedding; its length does not count.
        name: file name, for people.
        sha256: of the image file; an image added again replaces itself.
    """

    category: str
    vector: NDArray[np.floating[Any]]
    name: str
    sha256: str


class Gallery:
    """Embeddings of images with a known category. Use `open` or `create`.

    Attributes:
        path: the folder.
        model: id or hash of the model that made the vectors.
        dimension: d, the length of a vector.
    """

    def __init__(self, path: Path, model: str, dimension: int, table: Any) -> None:
        self.path = path
        self.model = model
        self.dimension = dimension
        self._table = table

    @classmethod
    def create(cls, path: str | Path, *, model: str, dimension: int) -> Gallery:
        """Make an empty gallery at `path`, which must not exist or be an empty folder.

        Raises:
            KnowledgeError: something is there, or it cannot be written.
        """
        if not model or dimension < 1:
            raise KnowledgeError("A reference gallery needs the id of its model and a dimension of at least 1.")
        path = Path(path)
        marker = {"format": _FORMAT, "version": LAYOUT, "model": model, "dimension": dimension}
        lance.build_folder(path, marker, lambda location: _make_table(location, dimension), _WHAT)
        return cls.open(path, model=model)

    @classmethod
    def open(cls, path: str | Path, *, model: str) -> Gallery:
        """Open the gallery at `path` for vectors of `model`.

        Raises:
            KnowledgeError: there is no gallery, or another model made its vectors.
        """
        path = Path(path)
        marker = lance.read_marker(path, _FORMAT, LAYOUT, _WHAT)
        if marker.get("model") != model:
            raise KnowledgeError(
                f"The reference gallery '{path}' was made with the model '{marker.get('model')}', not '{model}'; "
                "vectors of two models cannot be compared, so make the gallery anew."
            )
        table = lance.open_table(lance.connect(str(path)), _TABLE, path, _WHAT)
        return cls(path, model, int(marker["dimension"]), table)

    def add(self, category: str, vector: NDArray[np.floating[Any]], name: str, sha256: str) -> None:
        """Add one image; see `GalleryImage`.

        Raises:
            KnowledgeError: the vector has another dimension, is zero or not finite, or the write failed.
        """
        self.add_many([GalleryImage(category, vector, name, sha256)])

    def add_many(self, images: Iterable[GalleryImage]) -> int:
        """Add images in one commit; of several with the same hash the last counts. Returns how many were
        written.

        Raises:
            KnowledgeError: as `add`; then none was added.
        """
        rows = {image.sha256: self._row(image) for image in images}
        if not rows:
            return 0
        with lance.writing(self.path, _WHAT):
            merge = self._table.merge_insert("sha256").when_matched_update_all().when_not_matched_insert_all()
            lance.commit(lambda: merge.execute(list(rows.values())))
            if len(rows) > 1 or self._table.version % _OPTIMIZE_EVERY == 0:
                lance.optimize(self._table)
        return len(rows)

    def classify(
        self, vector: NDArray[np.floating[Any]], *, min_score: float, min_margin: float
    ) -> CategoryEvidence:
        """The category of the image with this embedding.

        Args:
            vector: (d,), of the gallery's model.
            min_score: least cosine to the nearest image, in [-1, 1].
            min_margin: least lead over the nearest image of any other category, in [0, 2].

        Returns:
            Origin 'gallery' with a name, or 'unknown' without. The margin is None where the gallery knows one
            category only; then the score alone decides.

        Raises:
            KnowledgeError: the vector has another dimension, is zero or not finite.
        """
        unit = self._unit(vector, "the image to classify")
        best = self._nearest(unit, None)
        if best is None:
            return CategoryEvidence(name=None, origin="unknown", score=None, margin=None)
        other = self._nearest(unit, best["category_key"])
        score = best["score"]
        margin = None if other is None else score - other["score"]
        if score >= min_score and (margin is None or margin >= min_margin):
            return CategoryEvidence(name=best["category"], origin="gallery", score=score, margin=margin)
        return CategoryEvidence(name=None, origin="unknown", score=score, margin=margin)

    def rank(self, vector: NDArray[np.floating[Any]]) -> list[tuple[str, float]]:
        """Every category with the cosine of its nearest image, best first; equal ones by name.

        Raises:
            KnowledgeError: the vector has another dimension, is zero or not finite.
        """
        unit = self._unit(vector, "the image to classify")
        query = self._table.search(unit, vector_column_name="vector").distance_type("cosine").limit(len(self))
        best: dict[str, float] = {}
        for row in query.select(["category", "_distance"]).to_arrow().to_pylist():
            score = max(-1.0, min(1.0, 1.0 - float(row["_distance"])))
            best[row["category"]] = max(score, best.get(row["category"], -1.0))
        return sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))

    def categories(self) -> dict[str, int]:
        """Category names, sorted, each with its number of images."""
        counts: dict[str, int] = {}
        for row in self._table.search().select(["category"]).limit(None).to_arrow().to_pylist():
            counts[row["category"]] = counts.get(row["category"], 0) + 1
        return dict(sorted(counts.items()))

    def __len__(self) -> int:
        return int(self._table.count_rows())

    def _nearest(self, unit: list[float], but: str | None) -> dict[str, Any] | None:
        """The nearest image, outside of the category with the key `but`."""
        query = self._table.search(unit, vector_column_name="vector").distance_type("cosine").limit(1)
        if but is not None:
            query = query.where(f"category_key != {lance.quoted(but)}", prefilter=True)
        rows = query.select(["category", "category_key", "_distance"]).to_arrow().to_pylist()
        if not rows:
            return None
        return {**rows[0], "score": max(-1.0, min(1.0, 1.0 - float(rows[0]["_distance"])))}

    def _row(self, image: GalleryImage) -> dict[str, Any]:
        category = sanitize(image.category)
        if not (key := name_key(category)):
            raise KnowledgeError(f"The category of '{image.name}' is empty; name what the image shows.")
        return {
            "sha256": image.sha256,
            "category": category,
            "category_key": key,
            "name": sanitize(image.name),
            "vector": self._unit(image.vector, f"'{image.name}'"),
        }

    def _unit(self, vector: NDArray[np.floating[Any]], what: str) -> list[float]:
        values = np.asarray(vector, dtype=np.float64)  # the length of a large float32 vector may overflow
        if values.shape != (self.dimension,):
            raise KnowledgeError(
                f"The embedding of {what} has shape {values.shape}; the gallery '{self.path}' holds "
                f"({self.dimension},), so use the model '{self.model}'."
            )
        length = float(np.linalg.norm(values))
        if not math.isfinite(length) or length == 0.0:
            raise KnowledgeError(f"The embedding of {what} is zero or not finite; check the image and the model.")
        return [float(value) for value in (values / length).astype(np.float32)]


def _make_table(location: str, dimension: int) -> None:
    import pyarrow as pa

    fields = [pa.field(name, pa.string()) for name in ("sha256", "category", "category_key", "name")]
    schema = pa.schema([*fields, pa.field("vector", pa.list_(pa.float32(), dimension))])
    lance.connect(location).create_table(_TABLE, schema=schema)
