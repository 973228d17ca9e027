"""Templates of a product: one for all parts, or one for each, found by the name of its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reason_iad.errors import ProductError, did_you_mean
from reason_iad.images import find_images, load_image, printable
from reason_iad.products.editing import Defective, Good, counted, facts
from reason_iad.products.gathering import Read, Tell, silent
from reason_iad.products.state import TEMPLATES, ImageRecord, PartRecord, State
from reason_iad.products.storing import Copy, Edit, Workbench

if TYPE_CHECKING:
    from reason_iad.images import LoadedImage

Part = TypeVar("Part", bound=PartRecord)
LARGER = 4.0
"""By how many times a template may be larger than a part, or smaller."""


@dataclass(frozen=True, slots=True)
class GivenTemplates:
    """Templates as people give them.

    Attributes:
        source: the file, or the folder.
        files: by the name of the file without its ending; empty if it is one file for all parts.
    """

    source: Path
    files: dict[str, Path]

    @property
    def single(self) -> Path | None:
        """The template of all parts; None if each has its own."""
        return None if self.files else self.source

    def of(self, part: str | Path) -> Path | None:
        """The template of a part, by the name of its file; None if it has none."""
        return self.files.get(Path(part).stem) if self.files else self.source

    def required(self, parts: Sequence[Path]) -> dict[Path, Path]:
        """The template of each part.

        Raises:
            ProductError: a part has none.
        """
        found = {part: self.of(part) for part in parts}
        missing = [part for part, template in found.items() if template is None]
        if missing:
            others = f" The same holds for {counted(len(missing) - 1, 'more image')}." if missing[1:] else ""
            near = did_you_mean(missing[0].stem, self.files)
            raise ProductError(
                f"'{printable(missing[0])}' has no template in '{printable(self.source)}'.{near}{others} Put a "
                "file of the same name there for each, or give one file as the template of all parts."
            )
        return {part: template for part, template in found.items() if template is not None}


def find_templates(path: str | Path | Mapping[Path, Path], tell: Tell = silent) -> GivenTemplates:
    """The templates in a folder, those of single pictures, or the one file that is the template of all parts.

    Raises:
        ImageError: the folder holds no picture or cannot be read.
        ProductError: two files in it have the same name, but for their endings.
    """
    if isinstance(path, Mapping):
        if not path:
            raise ProductError("The dictionary of templates is empty. Name the template of each picture in it.")
        return GivenTemplates(Path(), {part.stem: template for part, template in path.items()})
    path = Path(path)
    if not path.is_dir():
        return GivenTemplates(path, {})
    files: dict[str, Path] = {}
    for file in find_images([path], tell):
        if file.stem in files:
            raise ProductError(
                f"Two templates are called '{printable(Path(file.stem))}': '{printable(files[file.stem])}' and "
                f"'{printable(file)}'. Keep one of them."
            )
        files[file.stem] = file
    return GivenTemplates(path, files)


@dataclass(frozen=True, slots=True)
class Templates:
    """Templates of pictures that are added, read and checked.

    Attributes:
        of: by the hash of the picture, its template.
    """

    of: dict[str, Read]


def read_templates(given: GivenTemplates, good: Good, defects: Defective | None = None) -> Templates:
    """Read the templates of pictures that are added. Every good one needs one, a defective one may have one.

    Raises:
        ProductError: a good picture has no template, a template belongs to no picture, has another size than its
            picture, or is the same picture.
        ImageError: a template cannot be used.
    """
    given.required([read.path for _, read in good.given])
    parts = [read for _, read in good.given]
    parts += [] if defects is None else [read for _, read, _ in defects.given]
    files = {part.path: given.of(part.path) for part in parts}
    if left := sorted(set(given.files.values()) - set(files.values())):
        others = f" The same holds for {counted(len(left) - 1, 'more template')}." if left[1:] else ""
        raise ProductError(
            f"The template '{printable(left[0])}' belongs to no image: none of the given ones has its name."
            f"{others} Take it out of '{printable(given.source)}', or give its image, too."
        )
    loaded: dict[Path, LoadedImage] = {}
    found: dict[str, Read] = {}
    for part in parts:
        file = files[part.path]
        if file is not None:
            if file not in loaded:
                loaded = {file: load_image(file)}
            _check(part.path, (part.width, part.height), part.sha256, file, loaded[file])
            found[part.sha256] = _read(file, loaded[file])
    return Templates(found)


def add_templates(bench: Workbench, state: State, templates: Templates) -> Edit:
    """Give pictures of a product their own templates; those that are there already get them, too."""
    records: dict[str, ImageRecord] = {}
    copies: list[Copy] = []
    given = {part.sha256: part.template for part in (*state.good, *state.defects)}
    for read in templates.of.values():
        if read.sha256 not in records:
            record = _record(bench, state, read)
            records[read.sha256] = record
            copies.append(Copy(read.path, record))
    every = state.settings.template
    new = {part: records[read.sha256] for part, read in templates.of.items() if part in given}
    new = {part: record for part, record in new.items() if every is None or record.sha256 != every.sha256}
    changed = sum(given[part] != record for part, record in new.items())
    words = f"{counted(changed, 'image')} got {'its' if changed == 1 else 'their'} template." if changed else ""
    return Edit(
        state.model_copy(
            update={
                "good": tuple(_with(each, new.get(each.sha256, each.template)) for each in state.good),
                "defects": tuple(_with(each, new.get(each.sha256, each.template)) for each in state.defects),
            }
        ),
        words,
        tuple(copies) if changed else (),
    )


def set_template(bench: Workbench, state: State, path: Path | None) -> Edit:
    """Make a file the template of all parts, in place of all there are; None takes every template away.

    Raises:
        ProductError: it does not fit a good image, or is one.
        ImageError: it cannot be used.
    """
    if path is not None and path.is_dir():
        raise ProductError(
            f"'{printable(path)}' is a folder. Give one file as the template of all parts. To give each good image "
            "its own template, use: reason-iad product add NAME --good DIR --template DIR"
        )
    record: ImageRecord | None = None
    copies: tuple[Copy, ...] = ()
    words = ""
    if path is not None:
        image = load_image(path)
        for good in state.good:
            _check(Path(good.file), (good.width, good.height), good.sha256, path, image)
        read = _read(path, image)
        record = _record(bench, state, read)
        copies = (Copy(path, record),)
    if record != state.settings.template or any(_own(state)):
        words = "Took all templates away." if record is None else f"Set the template of all parts: {record.file}."
    after = state.model_copy(
        update={
            "settings": state.settings.model_copy(update={"template": record}),
            "good": tuple(_with(each, None) for each in state.good),
            "defects": tuple(_with(each, None) for each in state.defects),
        }
    )
    return Edit(after, words, copies)


def require_templates(state: State) -> None:
    """Refuse a product in which some good images have a template and others have none.

    Raises:
        ProductError: it is one.
    """
    if state.settings.template is not None or not any(_own(state)):
        return
    missing = [each for each in state.good if each.template is None]
    if missing:
        others = f" The same holds for {counted(len(missing) - 1, 'more image')}." if missing[1:] else ""
        raise ProductError(
            f"The good image '{missing[0].file}' has no template, and others of the product have one.{others} Give "
            "it with: reason-iad product add NAME --good IMAGE --template TEMPLATE"
        )


def _own(state: State) -> Iterator[ImageRecord]:
    """The templates of single good images."""
    yield from (each.template for each in state.good if each.template is not None)


def _with(part: Part, template: ImageRecord | None) -> Part:
    return part.model_copy(update={"template": template})


def _read(path: Path, image: LoadedImage) -> Read:
    return Read(path, image.sha256, image.width, image.height)


def _record(bench: Workbench, state: State, read: Read) -> ImageRecord:
    """Where a template is, or will be: the same content has one file."""
    known = {each.sha256: each for each in (*_own(state), state.settings.template) if each is not None}
    file = known[read.sha256].file if read.sha256 in known else bench.place(TEMPLATES, read.path, read.sha256)
    return ImageRecord(file=file, **facts(read))


def _check(part: Path, size: tuple[int, int], sha256: str, path: Path, template: LoadedImage) -> None:
    """Refuse a template that cannot be that of a part."""
    from reason_iad.expert.by_template import same_shape

    named = f"The template '{printable(path)}'"
    if template.sha256 == sha256:
        raise ProductError(
            f"{named} is the same picture as the image '{printable(part)}'. Leave it out of the good images: "
            "a picture that is compared with itself says nothing."
        )
    larger = template.width / size[0]
    if not same_shape(size, (template.width, template.height)) or not 1 / LARGER <= larger <= LARGER:
        raise ProductError(
            f"{named} is {template.width}x{template.height} pixels, its image '{printable(part)}' is "
            f"{size[0]}x{size[1]}. Give a template that shows the whole part, in about the same size."
        )
