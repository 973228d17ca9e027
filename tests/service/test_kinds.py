"""What parts are judged by in a service."""

from __future__ import annotations

from pathlib import Path

from tests.parts import plate, save

from reason_iad.products import Products
from reason_iad.service.work.kinds import Kinds


def test_the_model_knows_what_a_product_knows_and_is_loaded_once(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    save(plate(0), tmp_path / "good" / "0.png")
    text = "---\ncategory: bracket\n---\n\n# Normal\n\nTwo clean holes.\n\n# Defects\n\n## burr\n\nA jagged lip.\n"
    (tmp_path / "bracket.md").write_text(text)
    products = Products(tmp_path / "products")
    with_knowledge = products.create(
        "bracket", [tmp_path / "good"], settings={"knowledge": tmp_path / "bracket.md"}
    )
    without = products.create("plate", [tmp_path / "good"])
    kinds = Kinds(products, "fake")
    known, plain = kinds._model_of(with_knowledge), kinds._model_of(without)
    assert known.setup.model is plain.setup.model
    assert known.setup.knowledge_sha256 != plain.setup.knowledge_sha256
    assert known.setup.knowledge is not None and "bracket" in known.setup.knowledge.categories()
