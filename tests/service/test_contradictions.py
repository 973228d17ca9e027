"""What speaks against what a person says is pointed out, in the answer and on the page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.parts import plate, save, scratched
from tests.report import report_cases as cases
from tests.service.test_corrections import Line

from reason_iad.products import GivenDefect
from reason_iad.schema import Box
from reason_iad.schema.product import ExampleEvidence, ProductEvidence
from reason_iad.service.database.queue import Finding
from reason_iad.service.work.worker import finding


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path, "", "at once")
    yield made
    made.database.close()


def seen(line: Line, *, verdict: str = "review", **more: Any) -> Finding:
    """What was found of a part; `example` is the similarity with the first known defect."""
    similarity, unlike = more.pop("example", None), more.pop("unlike", False)
    example = None
    if similarity is not None:
        known = line.product.defects[0]
        example = ExampleEvidence(
            type=known.type, name=known.path.name, sha256=known.sha256, added=datetime.now(timezone.utc),
            box=Box(x1=0, y1=0, x2=9, y2=9), similarity=similarity, unlike=unlike, types=(known.type,),
        )  # fmt: skip
    product = ProductEvidence(
        **{
            "name": "plate", "sha256": "a" * 64, "good_images": 3, "score": 4.0, "pass_below": 3.0,
            "defect_from": None, "promise": "", "likeness": 0.5, "example": example, **more,
        }
    )  # fmt: skip
    result = cases.defect(verdict="review") if verdict == "review" else cases.good()
    return finding(result.model_copy(update={"evidence": result.evidence.model_copy(update={"product": product})}))


def against(line: Line, number: int, says: str, **more: Any) -> str | None:
    return line.say(number, says, **more)["contradicts"]


def test_a_part_that_looks_like_a_known_defect_and_is_called_good(line: Line) -> None:
    first = line.found(scratched(8))
    assert against(line, first, "defect", defect_type="scratch") is None
    like = line.found(scratched(9), seen(line, example=0.65))
    said = against(line, like, "good")
    assert said == f"The part looks nearly the same as inspection {first}, which was called 'scratch'."
    less, unlike = (line.found(scratched(n), seen(line, **how)) for n, how in
                    ((10, {"example": 0.5}), (11, {"example": 0.95, "unlike": True})))  # fmt: skip
    assert against(line, less, "good") is None and against(line, unlike, "good") is None
    same, other = (line.found(scratched(n), seen(line, example=0.95)) for n in (12, 13))
    assert against(line, same, "defect", defect_type="scratch") is None
    assert "'scratch'" in str(against(line, other, "defect", defect_type="dent")), "another name for the same"
    gone = line.found(scratched(14), seen(line, example=0.95))
    line.product.without(line.product.defects[0].path)
    assert against(line, gone, "good") is None, "the product does not know that defect any more"


def test_a_part_that_looks_like_good_ones_and_is_called_defective(line: Line) -> None:
    usual = line.found(plate(8), seen(line, verdict="pass", score=-0.5))
    assert "stands out less than most good parts" in str(against(line, usual, "defect"))
    odd = line.found(plate(9), seen(line, verdict="pass", score=1.5))
    assert against(line, odd, "defect") is None
    copy = line.found(plate(10), seen(line, left_out="0.png"))
    assert against(line, copy, "defect") == "The good picture '0.png' of the product shows the same."
    assert against(line, line.found(plate(11), seen(line, left_out="0.png")), "good") is None


def test_the_same_picture_is_found_in_reviews_and_in_the_product(line: Line) -> None:
    first, second = line.found(plate(8)), line.found(plate(8))
    assert against(line, first, "good") is None
    assert against(line, second, "defect") == f"Inspection {first} shows the same picture and was called 'good'."
    assert against(line, second, "skip") is None
    assert against(line, line.found(plate(0)), "defect") == "The product has this picture as a good part."
    save(scratched(9), line.folder / "bad.png")
    line.product.with_defects([GivenDefect(line.folder / "bad.png", "dent")])
    known = line.found(scratched(9))
    assert against(line, known, "good") == "The product has this picture as the defect 'dent'."


def test_to_change_ones_mind_is_no_contradiction(line: Line) -> None:
    number = line.found(plate(8))
    line.say(number, "good")
    assert against(line, number, "defect") is None
