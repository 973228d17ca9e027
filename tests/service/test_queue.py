"""Accepted parts: taken once, recorded once, and never lost, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading

import pytest

from reason_iad.service.database import Database, queue, records
from reason_iad.service.database.tables import Inspection, Term
from reason_iad.service.faults import Fault, Unavailable
from reason_iad.service.keeping.pictures import Stored

PICTURE = Stored("a" * 64, 10, 32, 32, "PNG")
FOUND = queue.Finding("defect", 0.9, 5.0, "scratch", "top left", "A scratch at the top left.", "{}")


def part(key: str | None = None, product: str = "plate", picture: Stored = PICTURE) -> queue.Part:
    return queue.Part(product, picture, "Part-07.PNG", "http", key)


def accepted(database: Database, count: int) -> list[int]:
    return [queue.accept(database, part(), 1000)[0] for _ in range(count)]


def test_a_part_is_taken_and_recorded_once(database: Database) -> None:
    (number,) = accepted(database, 1)
    (job,) = queue.claim(database, "one", 8, 60)
    assert (job.id, job.attempt, job.name) == (number, 1, "Part-07.PNG")
    assert queue.claim(database, "two", 8, 60) == []
    assert queue.finish(database, "one", [(job, FOUND)]) == [number]
    assert queue.finish(database, "one", [(job, FOUND)]) == [], "once"
    with database.reading() as session:
        row = session.get_one(Inspection, number)
        assert (row.state, row.outcome, row.defect_type) == ("done", "defect", "scratch")
        assert records.result_of(session, number) == "{}"


def test_a_worker_that_was_given_up_records_nothing(database: Database) -> None:
    (number,) = accepted(database, 1)
    (late,) = queue.claim(database, "late", 1, -1)
    assert queue.give_back(database, 3, 60) == 1
    (job,) = queue.claim(database, "late", 1, 60)  # the same name again does not help the first attempt
    assert queue.finish(database, "late", [(late, "too late")]) == []
    assert queue.finish(database, "late", [(job, FOUND)]) == [number]


def test_what_stops_every_worker_is_given_up(database: Database) -> None:
    (number,) = accepted(database, 1)
    for attempt in range(3):
        (job,) = queue.claim(database, f"server-{attempt}", 1, 60)
        assert job.attempt == attempt + 1
        assert queue.give_back(database, 3, 60, worker="server-*") == 1
    assert queue.claim(database, "next", 1, 60) == []
    with database.reading() as session:
        row = session.get_one(Inspection, number)
        assert row.state == "failed" and "3 times" in str(row.error)


def test_only_the_parts_of_a_server_that_is_gone_are_given_back(database: Database) -> None:
    accepted(database, 2)
    queue.claim(database, "here-1", 1, 60)
    queue.claim(database, "there-1", 1, 60)
    assert queue.give_back(database, 3, 60, worker="here-*") == 1
    assert queue.give_back(database, 3, 60) == 0


def test_many_workers_share_the_parts(database: Database) -> None:
    numbers, taken, lock = accepted(database, 40), [], threading.Lock()

    def take(name: str) -> None:
        while jobs := queue.claim(database, name, 3, 60):
            with lock:
                taken.extend(job.id for job in jobs)

    threads = [threading.Thread(target=take, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == numbers


def test_parts_that_are_taken_together_are_of_one_product(database: Database) -> None:
    assert queue.next_product(database) is None
    for product in ("plate", "plate", "bolt", "plate"):
        queue.accept(database, part(product=product), 10)
    taken = []
    while (product := queue.next_product(database)) is not None:
        jobs = queue.claim(database, "w", 8, 60)
        assert {job.product for job in jobs} == {product}
        taken.append([job.id for job in jobs])
    assert taken == [[1, 2], [3], [4]]


def test_a_key_is_accepted_once(database: Database) -> None:
    first, new = queue.accept(database, part("k"), 10)
    again, repeated = queue.accept(database, part("k"), 10)
    assert (first, new) == (again, not repeated)
    with pytest.raises(Fault, match="another part"):
        queue.accept(database, part("k", product="other"), 10)


def test_a_key_that_many_send_at_once_is_accepted_once(database: Database) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(queue.accept(database, part("same"), 100)[0]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_more_than_may_wait_is_refused(database: Database) -> None:
    accepted(database, 3)
    with pytest.raises(Unavailable, match="3 parts are waiting"):
        queue.accept(database, part(), 3)
    queue.finish(database, "w", [(queue.claim(database, "w", 1, 60)[0], "no picture")])
    queue.accept(database, part(), 3)


def test_parts_are_found_by_words_and_paged_by_number(database: Database) -> None:
    numbers = accepted(database, 5)
    for job in queue.claim(database, "w", 5, 60)[:4]:
        queue.finish(database, "w", [(job, FOUND)])
    with database.reading() as session:
        page, more = records.page(session, records.Wanted(text="SCRATCH part-07.png"), 3)
        assert [row.id for row in page] == numbers[3:0:-1] and more == numbers[1]
        page, more = records.page(session, records.Wanted(text="scratch", before=more), 3)
        assert [row.id for row in page] == numbers[:1] and more is None
        assert records.page(session, records.Wanted(text="scratch dent"), 3) == ([], None)
        assert records.page(session, records.Wanted(state="working"), 3)[0][0].id == numbers[4]
        assert records.counts(session, 0.0) == {"defect": 4, "working": 1}
        assert session.query(Term).filter_by(word="07").count() == 4


def test_a_part_that_stops_the_worker_takes_no_other_with_it(database: Database) -> None:
    numbers = accepted(database, 4)
    jobs = queue.claim(database, "w-1", 4, 60)
    assert [job.id for job in jobs] == numbers
    queue.give_back(database, 3, 60, worker="w-1")
    for life in range(2, 4):  # the first part stops the worker again, alone
        assert [job.id for job in queue.claim(database, f"w-{life}", 4, 60)] == numbers[:1]
        queue.give_back(database, 3, 60, worker=f"w-{life}")
    taken = [queue.claim(database, "w-4", 4, 60) for _ in range(3)]
    assert [job.id for jobs in taken for job in jobs] == numbers[1:]
    assert {job.attempt for jobs in taken for job in jobs} == {2}


def test_parts_that_were_not_begun_do_not_count_as_tried(database: Database) -> None:
    accepted(database, 3)
    jobs = queue.claim(database, "w", 3, 60)
    queue.unbegun(database, "w", jobs[1:])
    assert [job.attempt for job in queue.claim(database, "v", 3, 60)] == [1, 1]
