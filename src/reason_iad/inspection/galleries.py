"""Open the reference gallery of a model: a gallery store, or plainly a folder with one sub-folder per category.

A folder is embedded once and kept in the user's cache, keyed by the images and the vision tower, so a second run
opens it at once. Built beside its place and renamed: an interrupted build leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.errors import KnowledgeError

if TYPE_CHECKING:
    from reason_iad.expert.encoders.base import Encoder
    from reason_iad.images import LoadedImage
    from reason_iad.knowledge import Gallery


def open_gallery(path: str | Path, encoder: Encoder, white: float | None = None) -> Gallery:
    """Open or build a gallery.

    Args:
        path: a gallery store made with this vision tower, or a folder `DIR/<category>/*.png` of normal images.
        encoder: embeds the images.
        white: of images with more than 8 bits; None: what their files say, or all of them look like together.

    Raises:
        KnowledgeError: there is neither, the store was made with another model, or a folder is named 'good'.
        ImageError: an image in the folder cannot be read.
    """
    from reason_iad.images import at_white, is_normal_name, load_image, white_of
    from reason_iad.knowledge import Gallery
    from reason_iad.knowledge.opening import cache_folder

    path = Path(path)
    model = encoder.sha256
    folders = sorted(entry for entry in path.iterdir() if _is_category(entry)) if path.is_dir() else []
    if not folders or (path / "images.lance").exists():
        return Gallery.open(path, model=model)
    if normal := [folder.name for folder in folders if is_normal_name(folder.name)]:
        raise KnowledgeError(
            f"The gallery '{path}' has a folder '{normal[0]}', which names good parts and no product. "
            "Give a folder with one subfolder per product, named as the product."
        )
    found = [(folder.name, load_image(file, white=white)) for folder in folders for file in _files(folder)]
    common = white_of([image.depth for _, image in found])
    images = [(category, at_white(image, common)) for category, image in found]
    target = cache_folder() / "galleries" / _key(model, images)
    if not target.exists():
        _build(target, encoder, images)
    return Gallery.open(target, model=model)


def _is_category(entry: Path) -> bool:
    from reason_iad.images import is_litter

    return entry.is_dir() and not entry.name.startswith("_") and not is_litter(entry.name)


def _files(folder: Path) -> list[Path]:
    from reason_iad.images import find_images

    return find_images([folder])


def _key(model: str, images: list[tuple[str, LoadedImage]]) -> str:
    digest = hashlib.sha256(model.encode())
    for category, image in images:
        digest.update(f"\0{category}\0{image.key}".encode())
    return digest.hexdigest()[:32]


def _build(target: Path, encoder: Encoder, images: list[tuple[str, LoadedImage]]) -> None:
    from reason_iad.expert.embedding import image_embedding
    from reason_iad.expert.encoders.base import deepest
    from reason_iad.knowledge import Gallery
    from reason_iad.knowledge.gallery import GalleryImage

    rows = [
        GalleryImage(category, image_embedding(deepest(encoder, image.pixels)), image.name, image.sha256)
        for category, image in images
    ]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    except OSError as error:
        raise KnowledgeError(
            f"The gallery cache '{target.parent}' cannot be written; set REASON_IAD_CACHE."
        ) from error
    try:
        gallery = Gallery.create(scratch / "gallery", model=encoder.sha256, dimension=len(rows[0].vector))
        gallery.add_many(rows)
        try:
            (scratch / "gallery").rename(target)
        except OSError:
            if not target.exists():  # else another process was faster
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
