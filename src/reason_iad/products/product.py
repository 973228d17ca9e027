"""A product: what is known of one kind of part, as an unchanging value that reads its files from one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from reason_iad.errors import ProductError
from reason_iad.files import write_atomic
from reason_iad.products import editing
from reason_iad.products.editing import Defective, Good, joined
from reason_iad.products.gathering import GivenDefect, Tell, find_good, silent
from reason_iad.products.settings import set_up
from reason_iad.products.state import Change, Settings, State
from reason_iad.products.storing import CACHE, Edit, Workbench, make_folder, read_history, read_state
from reason_iad.products.templates import add_templates, find_templates, read_templates, require_templates
from reason_iad.schema import Box


@dataclass(frozen=True, slots=True)
class GoodImage:
    """A picture of a good part.

    Attributes:
        path: the file.
        sha256: of its content.
        width, height: in pixels, when it lies upright.
        view: the view or variant that it shows; None: there is only one.
        added: when it came into the product, UTC.
        counts: whether its score counts for the limits.
    """

    path: Path
    sha256: str
    width: int
    height: int
    view: str | None
    added: datetime
    counts: bool = True


@dataclass(frozen=True, slots=True)
class DefectImage:
    """A picture of a defective part.

    Attributes:
        path: the file.
        sha256: of its content.
        width, height: in pixels, when it lies upright.
        type: what the defect is called.
        mask: the file in which the defect is marked; None if there is none.
        box: where the defect is; None if that was not said.
        added: when it came into the product, UTC.
    """

    path: Path
    sha256: str
    width: int
    height: int
    type: str
    mask: Path | None
    box: Box | None
    added: datetime


@dataclass(frozen=True, slots=True)
class Product:
    """A product at one moment. It does not change, whatever others add; every change gives a new one.

    Changes begin from what is on disk, also where that is newer than this value. All of them raise `OutputError` if
    another process is changing the product or it cannot be written, and then leave it as it was.

    Attributes:
        folder: of the product.
        state: what `product.json` says.
    """

    folder: Path
    state: State

    @classmethod
    def read(cls, folder: str | Path) -> Product:
        """The product in a folder, wherever that is.

        Raises:
            ProductError: there is none, or it is damaged.
        """
        return cls(Path(folder), read_state(Path(folder)))

    @property
    def name(self) -> str:
        """The name of its folder, by which people call it."""
        return self.folder.resolve().name

    @property
    def settings(self) -> Settings:
        """How its parts are judged."""
        return self.state.settings

    @property
    def good(self) -> tuple[GoodImage, ...]:
        """Pictures of good parts."""
        return tuple(
            GoodImage(
                path=self.folder / each.file,
                sha256=each.sha256,
                width=each.width,
                height=each.height,
                view=each.view,
                added=each.added,
                counts=each.counts,
            )
            for each in self.state.good
        )

    @property
    def defects(self) -> tuple[DefectImage, ...]:
        """Pictures of defective parts."""
        return tuple(
            DefectImage(
                path=self.folder / each.file,
                sha256=each.sha256,
                width=each.width,
                height=each.height,
                type=each.type,
                mask=None if each.mask is None else self.folder / each.mask.file,
                box=each.box,
                added=each.added,
            )
            for each in self.state.defects
        )

    @property
    def views(self) -> tuple[str | None, ...]:
        """The views of its good parts, sorted; None stands for pictures without one."""
        return tuple(sorted({each.view for each in self.state.good}, key=lambda view: view or ""))

    @property
    def types(self) -> tuple[str, ...]:
        """The types of its labelled defects, sorted."""
        return tuple(sorted({each.type for each in self.state.defects}))

    @property
    def knowledge(self) -> Path | None:
        """The file or the folder of its knowledge, as `open_knowledge` takes it; None if there is none."""
        files = [self.folder / each.file for each in self.state.knowledge]
        return None if not files else files[0] if not files[1:] else files[0].parent

    @property
    def ignore(self) -> Path | None:
        """The picture whose marked area is ignored; None if there is none."""
        area = self.settings.ignore
        return None if area is None else self.folder / area.file

    @property
    def inspect(self) -> Path | None:
        """The picture whose marked area alone is inspected; None if there is none."""
        area = self.settings.inspect
        return None if area is None else self.folder / area.file

    @property
    def template(self) -> Path | None:
        """The template of all parts; None if they have none, or each has its own."""
        template = self.settings.template
        own = any(each.template for each in self.state.good)
        return None if template is None or own else self.folder / template.file

    @property
    def templates(self) -> Mapping[str, Path]:
        """The template of each picture that has one, its own or that of all parts, by the hash of the picture."""
        every = self.settings.template
        parts = (*self.state.good, *self.state.defects)
        found = {each.sha256: each.template or every for each in parts}
        return {sha256: self.folder / each.file for sha256, each in found.items() if each is not None}

    @property
    def needs_templates(self) -> bool:
        """Whether each part has a template of its own, so that it cannot be inspected without one."""
        return self.template is None and any(each.template for each in self.state.good)

    def require_template(self, given: bool) -> None:
        """Refuse a part without a template where it needs one, or with one where parts have none.

        Raises:
            ProductError: it is one of them.
        """
        if not given and self.needs_templates:
            raise ProductError(f"Each part of '{self.name}' has its own template. Give this part's, too.")
        if given and not self.needs_templates and self.template is None:
            raise ProductError(
                f"'{self.name}' has no templates, so it is not known how much parts may differ from one. Leave the "
                "template out, or give the good pictures theirs."
            )

    @property
    def state_sha256(self) -> str:
        """Hash of everything that results follow from; derived data that was made for another hash does not fit."""
        return self.state.content_sha256()

    @property
    def cache_dir(self) -> Path:
        """Where derived data is kept; it may be missing (see `make_cache`) and can be deleted at any time."""
        return self.folder / CACHE

    def make_cache(self) -> Path:
        """Make the folder of derived data, which version control leaves out.

        Raises:
            OutputError: it cannot be made.
        """
        make_folder(self.folder, self.cache_dir)
        ignored = self.cache_dir / ".gitignore"
        if not ignored.exists():
            write_atomic(ignored, "*\n")
        return self.cache_dir

    def history(self) -> tuple[Change, ...]:
        """The changes that led to this state, the oldest first.

        Raises:
            ProductError: the history is damaged.
        """
        return tuple(each for each in read_history(self.folder) if each.revision <= self.state.revision)

    def with_good(
        self,
        *paths: str | Path,
        move: bool = False,
        counts: bool = True,
        template: str | Path | Mapping[Path, Path] | None = None,
        tell: Tell = silent,
    ) -> Product:
        """Add pictures of good parts.

        Args:
            paths: files and folders; sub-folders are views.
            move: a picture that is there as a defect becomes a good one.
            counts: whether their scores count for the limits. Parts that were chosen because they are doubtful
                should not: they are no fair sample.
            template: a folder with the template of each, which has the same file name without its ending; or the
                template of each, by its picture; or that of all that are added. Pictures that are there already get
                it, too.
            tell: is told what was left out.

        Raises:
            ImageError: one or more cannot be used.
            ProductError: one is a defect of the product, and `move` is off. Or one has no template, but others do.
        """
        good = Good.read(find_good(paths, tell))
        own = None if template is None else read_templates(find_templates(template, tell), good)

        def edit(bench: Workbench) -> Edit:
            added = editing.add_good(bench, bench.state, good, move=move, counts=counts, tell=tell)
            return added if own is None else joined((added, add_templates(bench, added.after, own)))

        return self._changed(edit)

    def with_defects(
        self,
        defects: Sequence[GivenDefect],
        *,
        move: bool = False,
        template: str | Path | Mapping[Path, Path] | None = None,
        tell: Tell = silent,
    ) -> Product:
        """Add pictures of defective parts. One that is there already gets the mask or the box that it did not have.

        Args:
            defects: the pictures; `find_defects` finds them in a folder.
            move: a picture that is there as a good one, or with another type, is corrected.
            template: as in `with_good`; some may have none.
            tell: is told what was left out.

        Raises:
            ImageError: one or more cannot be used, or a mask cannot.
            ProductError: one is a good picture of the product, or has another type, and `move` is off.
            ConfigError: a box is not inside its picture.
        """
        read = Defective.read(defects)
        own = None if template is None else read_templates(find_templates(template, tell), Good(()), read)

        def edit(bench: Workbench) -> Edit:
            added = editing.add_defects(bench, bench.state, read, move=move, tell=tell)
            return added if own is None else joined((added, add_templates(bench, added.after, own)))

        return self._changed(edit)

    def without(self, *images: str | Path) -> Product:
        """Take pictures out, named by their files in the product, or by any files with the same content.

        Raises:
            ProductError: one is not in the product, or no good picture would be left.
        """
        return self._changed(lambda bench: editing.drop(bench.state, images))

    def with_settings(self, **values: Any) -> Product:
        """Change settings by their names; 'ignore', 'inspect', 'template' and 'knowledge' are files.

        None takes one of them away. The template is that of all parts, in place of all there are.

        Raises:
            ConfigError: a value is out of its range, or two do not go together.
            ImageError: an area cannot be used.
            KnowledgeError: the knowledge cannot be used.
        """
        return self._changed(lambda bench: set_up(bench, bench.state, values))

    def undone(self, to: int | None = None) -> Product:
        """Take back the last change, or all changes after change number `to`. This is a change, too.

        Raises:
            ProductError: there is nothing to take back, or the history does not fit.
        """
        return self._changed(lambda bench: editing.undo(bench, to))

    def _changed(self, edit: Callable[[Workbench], Edit]) -> Product:
        with Workbench.at(self.folder) as bench:
            made = edit(bench)
            if made.after.contents == bench.state.contents:
                return Product(self.folder, bench.state)
            editing.require_good(made.after)
            require_templates(made.after)
            return Product(self.folder, bench.commit(made))


def sizes(images: Iterable[GoodImage | DefectImage]) -> tuple[tuple[int, int], ...]:
    """The different sizes (width, height) of pictures, sorted."""
    return tuple(sorted({(each.width, each.height) for each in images}))
