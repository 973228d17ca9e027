"""Parts are found by words, also by one that is not finished, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.service.test_queue import FOUND, PICTURE

from reason_iad.service.database import Database, queue, records
from reason_iad.service.database.terms import AskedTerms, asked_terms


def test_the_last_word_may_not_be_finished() -> None:
    assert asked_terms("Scratch do") == AskedTerms(("scratch",), "do")
    assert asked_terms("scratch dent ") == AskedTerms(("scratch", "dent"), None)
    assert asked_terms("the part-07.PNG") == AskedTerms(("07",), "png")
    assert asked_terms(" ") == asked_terms(None) == AskedTerms((), None)


@pytest.mark.parametrize("few", [0, records.FEW])
def test_an_unfinished_word_is_found(database: Database, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(records, "FEW", few)
    names = ("scratch-1.png", "scratched.png", "Scrap 7.png", "other.png", "scratch-2.png", "doubtful-12.png")
    for name in names:
        queue.accept(database, queue.Part("plate", PICTURE, name, "http"), 1000)
    for job in queue.claim(database, "w", 9, 60):
        plain = replace(FOUND, defect_type=None, place=None, explanation="")
        queue.finish(database, "w", [(job, plain)])

    def found(text: str, **more: Any) -> list[str]:
        with database.reading() as session:
            return [row.name for row in records.page(session, records.Wanted(text=text, **more), 50)[0]]

    assert found("scra") == ["scratch-2.png", "Scrap 7.png", "scratched.png", "scratch-1.png"], "the newest first"
    assert found("scratch") == ["scratch-2.png", "scratched.png", "scratch-1.png"]
    assert found("scratch ") == ["scratch-2.png", "scratch-1.png"], "a space ends the word"
    assert found("png scra", before=2) == ["scratch-1.png"]
    assert found("scra png") == [], "only the last word may be unfinished"
    assert found("do") == found("doubtful-1") == ["doubtful-12.png"], "also where the beginning is a common word"
    assert found("xyz") == found("scra xyz") == []
    with database.reading() as session:
        first, more = records.page(session, records.Wanted(text="scra"), 2)
        second, _ = records.page(session, records.Wanted(text="scra", before=more), 2)
        assert [row.name for row in (*first, *second)] == found("scra")
        assert records._beginning_with(session, "") == sorted(records._beginning_with(session, ""))
