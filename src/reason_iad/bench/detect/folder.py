"""A detection run on disk: an image counts once its map and then its line are written.

    RUN_DIR/manifest.json    conditions (`records.DetectManifest`), replaced atomically
    RUN_DIR/scores.jsonl     one `records.ScoreRecord` per line, append-only while running
    RUN_DIR/scores.csv       the same as a table, once the run is complete
    RUN_DIR/maps/ID.npy      the detector's map on its own grid, float32
    RUN_DIR/maps_full/ID.npy if asked for: at the size of the image, float16
    RUN_DIR/metrics.json     `records.DetectReport`

The maps are what pixel metrics are computed from, in a second pass, so a run that was cut off loses nothing, and
metrics can be computed again without the model.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from reason_iad.bench.detect.maps import Map, read_map
from reason_iad.bench.detect.records import (
    FULL_MAPS,
    MANIFEST,
    MAPS,
    METRICS,
    SCORES,
    SCORES_TABLE,
    DetectManifest,
    DetectReport,
    ScoreRecord,
)
from reason_iad.bench.detect.samples import Sample
from reason_iad.bench.detect.tables import scores_as_csv
from reason_iad.bench.runs import read_records
from reason_iad.bench.storage import ELSEWHERE, in_the_way
from reason_iad.errors import DatasetError, OutputError
from reason_iad.files import Log, made_folder, write_atomic
from reason_iad.images import printable

_OTHER = {"dataset_sha256": "other images or masks", "left_out": "other images left out"}
_FOLLOWS = frozenset({"status", "images"})  # never compared: they follow from the rest


class DetectFolder:
    """The folder of a run.

    A context manager: until the end of its block no other process can write there. A folder in which nothing was
    written is removed again, if it was made here.

    Args:
        path: the folder.
        manifest: the conditions of the run.
        samples: what is to be judged, in order.
        resume: go on with what is there, if there is something.
        overwrite: begin anew even if there is something.

    Raises:
        DatasetError: there is something and neither was asked for, or it was made under other conditions.
        OutputError: another process writes there, or the folder cannot be made.

    Attributes:
        scores: what is done, by id. Images that failed are to be tried again, and not among them.
    """

    def __init__(
        self,
        path: Path,
        manifest: DetectManifest,
        samples: Sequence[Sample],
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        self.path, self._manifest = path, manifest
        self._ids = [sample.id for sample in samples]
        self.scores: dict[str, ScoreRecord] = {}
        self._replaced: list[str] = []
        with ExitStack() as opening:
            opening.enter_context(made_folder(path, ELSEWHERE))
            self._log = opening.enter_context(Log.resume(path / SCORES, instead=ELSEWHERE))
            require_free(path, resume=resume, overwrite=overwrite)
            if resume and (path / MANIFEST).exists():
                self._take_up()
            elif overwrite and (path / MANIFEST).exists():
                _read_manifest(path / MANIFEST)  # nothing else is overwritten
                self._replaced = [record.id for record in read_records(path / SCORES, ScoreRecord)]
            self._opened = opening.pop_all()

    def __enter__(self) -> DetectFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def begin(self) -> None:
        """Write the conditions down, and remove what does not belong to them: what is replaced, what was cut off.

        Raises:
            OutputError: it cannot be written.
        """
        for name in (METRICS, SCORES_TABLE):  # of a state that will not be any more
            (self.path / name).unlink(missing_ok=True)
        for name in self._replaced:  # no whole folders: there may be files of the user's
            self.map_path(name).unlink(missing_ok=True)
            self._full_map_path(name).unlink(missing_ok=True)
        self._write_scores()
        self._write_manifest("running")

    def append(self, record: ScoreRecord, values: Map | None) -> None:
        """Add an image: its map, then its line.

        Raises:
            OutputError: they cannot be written.
        """
        if values is not None:
            _save(self.map_path(record.id), values)
        self._log.append(record.model_dump_json())
        self.scores[record.id] = record

    def finish(self, report: DetectReport) -> None:
        """Write table and metrics, put the lines in the order of the plan, and mark the run as complete.

        Raises:
            OutputError: it cannot be written.
        """
        self._write_scores()
        write_atomic(self.path / SCORES_TABLE, scores_as_csv([self.scores[name] for name in self._ids]))
        write_atomic(self.path / METRICS, report.model_dump_json(indent=2) + "\n")
        self._write_manifest("complete")

    def load_map(self, sample: Sample) -> Map:
        """The map of an image that is done.

        Raises:
            DatasetError: it cannot be read.
        """
        return read_map(self.map_path(sample.id))

    def keep_full(self, sample: Sample, values: Map) -> None:
        """Write a map at the size of its image, as float16.

        Raises:
            OutputError: it cannot be written, or float16 cannot hold a value.
        """
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.isfinite(half).all():
            raise OutputError(f"The map of '{printable(sample.id)}' exceeds float16; leave --save-maps out.")
        _save(self._full_map_path(sample.id), half)

    def map_path(self, sample: str) -> Path:
        """Where the map of an image lies."""
        return self.path / MAPS / f"{sample}.npy"

    def _full_map_path(self, sample: str) -> Path:
        return self.path / FULL_MAPS / f"{sample}.npy"

    def _take_up(self) -> None:
        made = _read_manifest(self.path / MANIFEST)
        changed = differences(made, self._manifest)
        if changed:
            raise DatasetError(
                f"'{printable(self.path)}' was made with {', '.join(changed)}; resume with the same, "
                "or choose another --out."
            )
        wanted = set(self._ids)
        for record in read_records(self.path / SCORES, ScoreRecord):
            needs_map = made.detector != "maps"
            if record.id in wanted and record.score is not None:
                if needs_map and not self.map_path(record.id).is_file():
                    continue
                self.scores[record.id] = record

    def _write_scores(self) -> None:
        self._log.replace(self.scores[name].model_dump_json() for name in self._ids if name in self.scores)

    def _write_manifest(self, status: str) -> None:
        manifest = self._manifest.model_copy(update={"status": status})
        write_atomic(self.path / MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def require_free(path: Path, *, resume: bool, overwrite: bool) -> None:
    """Make sure that a folder holds no results, or that it was said what to do with them.

    Raises:
        DatasetError: it does, and it was not.
    """
    if (path / MANIFEST).exists() and not resume and not overwrite:
        raise in_the_way(path)


def differences(made: DetectManifest, wanted: DetectManifest) -> list[str]:
    """What differs between a run and the conditions it is to go on under, in words."""
    old, new = made.model_dump(mode="json"), wanted.model_dump(mode="json")
    words = []
    for name in _differing(old, new):
        if name in _OTHER:
            words.append(_OTHER[name])
        elif isinstance(old[name], dict) and isinstance(new[name], dict):
            keys = _differing(old[name], new[name])
            words += [
                "other weights of the model"
                if key == "sha256"
                else f"{name} {key} {old[name].get(key)} instead of {new[name].get(key)}"
                for key in keys
            ]
        else:
            words.append(f"{name} {old[name]} instead of {new[name]}")
    return words


def _differing(old: dict[str, Any], new: dict[str, Any]) -> Iterable[str]:
    return [key for key in (old | new) if key not in _FOLLOWS and old.get(key) != new.get(key)]


def _read_manifest(path: Path) -> DetectManifest:
    try:
        return DetectManifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DatasetError(
            f"'{printable(path)}' is not the manifest of a detection run; choose another --out."
        ) from error


def _save(path: Path, values: NDArray[Any]) -> None:
    """Write an array, whole or not at all, making the folders above it."""
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder '{printable(path.parent)}' cannot be made ({error.strerror}).") from None
    write_atomic(path, content.getvalue())
