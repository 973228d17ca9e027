"""Runs made up on the spot, with counts that a test knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from reason_iad.bench.records import AnswerRecord, Manifest, TimingRecord
from reason_iad.bench.runs import ANSWERS, MANIFEST, TIMINGS, Run
from reason_iad.schema import ModelVersion, Record

FOUR = {"A": "one", "B": "two", "C": "three", "D": "four"}


def answer(image: str, kind: str, right: bool | None = True, index: int = 0, **changes: Any) -> AnswerRecord:
    """One answer; the truth is always 'A'. `right=None`: unparsable. 'good' in the image's path means normal."""
    fields: dict[str, Any] = {
        "question": f"{image}#{index}",
        "image": image,
        "index": index,
        "dataset": image.split("/")[0],
        "category": image.split("/")[1],
        "kind": kind,
        "abnormal": "/good/" not in image,
        "options": FOUR,
        "truth": "A",
        "choice": {True: "A", False: "B", None: None}[right],
        "failure": "unparsable" if right is None else None,
    }
    return AnswerRecord(**fields | changes)


def answers(dataset: str, kind: str, right: int, asked: int, *, folder: str = "scratch") -> list[AnswerRecord]:
    """So many questions of one kind, each about an image of its own, the right ones first."""
    name = kind.replace(" ", "_").lower()
    return [
        answer(f"{dataset}/part/test/{folder}/{name}_{number:03d}.png", kind, number < right)
        for number in range(asked)
    ]


def manifest(questions: int, **changes: Any) -> Manifest:
    """The conditions of a made-up run."""
    fields: dict[str, Any] = {
        "status": "complete",
        "method": "full",
        "model": ModelVersion(name="nano", family="nano", sha256="ab" * 32, device="cpu", dtype="float32"),
        "config": {"method": "full"},
        "answers": "likelihood",
        "shots": 1,
        "templates": "random",
        "seed": 0,
        "limit": None,
        "questions": questions,
        "questions_sha256": "cd" * 32,
        "knowledge_sha256": None,
        "packages": {"reason-iad": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0"},
    }
    return Manifest(**fields | changes)


def make_run(
    those: Sequence[AnswerRecord], name: str = "full", timings: Iterable[TimingRecord] = (), **changes: Any
) -> Run:
    """A run with these answers; `changes` are the manifest's."""
    return Run(name, manifest(**{"questions": len(those)} | changes), tuple(those), tuple(timings))


def write_run(run: Run, folder: Path) -> Path:
    """Write a run as `bench run` does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(run.manifest.model_dump_json(), encoding="utf-8")
    for name, records in ((ANSWERS, run.answers), (TIMINGS, run.timings)):
        (folder / name).write_text(_lines(records), encoding="utf-8")
    return folder


def _lines(records: Iterable[Record]) -> str:
    return "".join(f"{record.model_dump_json()}\n" for record in records)
