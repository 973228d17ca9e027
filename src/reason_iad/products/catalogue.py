"""The folder of all products: what there is, and how products come and go, each in one step."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from reason_iad.errors import OutputError, ProductError, did_you_mean
from reason_iad.files import sync_folder
from reason_iad.images import printable
from reason_iad.products import editing, exchange
from reason_iad.products.editing import Defective, Good, joined
from reason_iad.products.gathering import GivenDefect, Tell, find_defects, find_good, silent
from reason_iad.products.names import check_name, is_name
from reason_iad.products.product import Product
from reason_iad.products.settings import set_up
from reason_iad.products.storing import STATE, Workbench, holding
from reason_iad.products.templates import add_templates, find_templates, read_templates
from reason_iad.schema.names import folded

VARIABLE = "REASON_IAD_PRODUCTS"
"""Environment variable that names the folder of all products."""

_LEFT = re.compile(r"\.(.+)\.[0-9a-f]{16}\.(?:new|gone)")


def products_folder() -> Path:
    """Where products are unless told otherwise: `REASON_IAD_PRODUCTS`, else the user's data folder."""
    if configured := os.environ.get(VARIABLE):
        return Path(configured).expanduser()
    return platformdirs.user_data_path("reason-iad", appauthor=False) / "products"


class Products:
    """All products in one folder.

    Args:
        folder: where they are; None: as `products_folder` says. It is made when a product is.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = products_folder() if folder is None else Path(folder)

    def names(self) -> tuple[str, ...]:
        """The names of all products, sorted."""
        try:
            inside = [path.name for path in self.folder.iterdir() if (path / STATE).is_file()]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ProductError(
                f"The products in '{printable(self.folder)}' cannot be read ({error.strerror}). Choose another "
                "folder with --products."
            ) from None
        return tuple(sorted(name for name in inside if is_name(name)))

    def open(self, name: str) -> Product:
        """A product.

        Raises:
            ProductError: there is none of that name, or it is damaged.
        """
        return Product.read(self._existing(name))

    def create(
        self,
        name: str,
        good: Iterable[str | Path],
        *,
        defects: str | Path | Sequence[GivenDefect] = (),
        settings: Mapping[str, Any] | None = None,
        template: str | Path | Mapping[Path, Path] | None = None,
        tell: Tell = silent,
    ) -> Product:
        """Make a product. Whatever happens meanwhile, it is there as a whole or not at all.

        Args:
            name: letters, digits, '-', '_' and '.'.
            good: pictures of good parts, or folders of them; sub-folders are views.
            defects: a folder of pictures of defects with one sub-folder per type, or the pictures.
            settings: as `Product.with_settings` takes them.
            template: the template of all parts; or a folder with that of each, which has the same file name without
                its ending; or that of each, by its picture.
            tell: is told what was left out.

        Raises:
            ProductError: there is one of that name, or a picture is given as good and as defective, or a template
                is missing or does not fit.
            ImageError, ConfigError, KnowledgeError: something that was given cannot be used.
            OutputError: it cannot be written.
        """
        name = check_name(name)
        self._require_free(name)  # before the long part
        found = find_defects(defects, tell) if isinstance(defects, str | Path) else defects
        read, labelled = Good.read(find_good(good, tell)), Defective.read(found)
        editing.require_apart(read, labelled)
        own, settings = None, dict(settings or {})
        if template is not None:
            given = find_templates(template, tell)
            own = read_templates(given, read, labelled)  # checked before anything is written
            if given.single is not None:
                own, settings["template"] = None, given.single
        with self._made(name) as folder:
            bench = Workbench.empty(folder, name)
            first = editing.add_good(bench, bench.state, read, tell=tell)
            second = editing.add_defects(bench, first.after, labelled, tell=tell)
            third = set_up(bench, second.after, settings)
            fourth = [] if own is None else [add_templates(bench, third.after, own)]
            editing.require_good(third.after)
            bench.commit(joined((first, second, third, *fourth), begin="Created."))
            Product(folder, bench.state).make_cache()
        return self.open(name)

    def remove(self, name: str) -> None:
        """Delete a product with all its pictures. This cannot be taken back.

        Raises:
            ProductError: there is none of that name.
            OutputError: another process is changing it, or it cannot be deleted.
        """
        folder = self._existing(name)
        with holding(folder):
            self._sweep(folder.name)
            gone = self._beside(folder.name, "gone")
            try:
                folder.rename(gone)
            except OSError as error:
                raise OutputError(f"'{printable(folder)}' cannot be deleted ({error.strerror}).") from None
            sync_folder(self.folder)
            shutil.rmtree(gone, ignore_errors=True)

    def take(self, source: str | Path, name: str | None = None) -> Product:
        """Import a product from a ZIP file that `export` wrote, or from a folder.

        Args:
            source: the file, or the folder of a product.
            name: what to call it here; None: as it was called.

        Raises:
            ProductError: it is no product, it is damaged or holds what does not belong there, or there is one of
                that name.
            ImageError, KnowledgeError: a file in it cannot be used.
            OutputError: it cannot be written.
        """
        with exchange.opened(Path(source)) as parcel:
            name = check_name(parcel.name if name is None else name)
            self._require_free(name)
            with self._made(name) as folder:
                exchange.unpack(parcel, folder, name)
                Product.read(folder).make_cache()
        return self.open(name)

    def _existing(self, name: str) -> Path:
        names = self.names()
        if name in names:
            return self.folder / name
        if not names:
            raise ProductError(
                f"There is no product in '{printable(self.folder)}' yet. Make one with 'reason-iad product "
                "create', or name another folder with --products."
            )
        near = did_you_mean(name, names) or f" There are: {', '.join(names[:10])}."
        raise ProductError(f"There is no product '{printable(name)}'.{near}")

    def _require_free(self, name: str) -> None:
        """Refuse a name that is taken, also where it differs in case only: some systems do not tell them apart."""
        try:
            taken = [path.name for path in self.folder.iterdir() if folded(path.name) == folded(name)]
        except OSError:
            return  # it is not there yet, or making the product says what is wrong
        if taken:
            what = "a product" if (self.folder / taken[0] / STATE).exists() else "something else"
            raise ProductError(f"There is {what} called '{printable(taken[0])}' already. Choose another name.")

    @contextmanager
    def _made(self, name: str) -> Iterator[Path]:
        """An empty folder that becomes the product at the end of the block, or is removed again."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"The folder '{printable(self.folder)}' cannot be made ({error.strerror}). Choose another folder "
                "with --products."
            ) from None
        with holding(self.folder / name):
            self._require_free(name)
            self._sweep(name)
            building = self._beside(name, "new")
            try:
                building.mkdir()
                yield building
                sync_folder(building)
                building.rename(self.folder / name)
            except OSError as error:
                raise OutputError(
                    f"'{printable(self.folder / name)}' cannot be written ({error.strerror or error})."
                ) from None
            finally:
                shutil.rmtree(building, ignore_errors=True)
            sync_folder(self.folder)

    def _beside(self, name: str, ending: str) -> Path:
        return self.folder / f".{name}.{secrets.token_hex(8)}.{ending}"

    def _sweep(self, held: str) -> None:
        """Remove what killed processes left while they made or deleted products; `held` is ours."""
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                if (left := _LEFT.fullmatch(path.name)) is None:
                    continue
                with contextlib.suppress(OutputError):
                    if left[1].lower() == held.lower():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        with holding(self.folder / left[1], wait=0):
                            shutil.rmtree(path, ignore_errors=True)
