"""A detection run: survives its end, refuses what would mix two runs, and judges from what is on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from tests.bench.detect import trees

from reason_iad import __version__
from reason_iad.bench.detect.problems import Checked, check
from reason_iad.bench.detect.readers import read_dataset
from reason_iad.bench.detect.records import DetectManifest, DetectReport, ScoreRecord
from reason_iad.bench.detect.running import EXTERNAL, Outcome, Settings, run_detector, score_maps
from reason_iad.bench.storage import Destination
from reason_iad.errors import DatasetError, ImageError, OutputError
from reason_iad.expert.detectors import DETECTORS, make_detector
from reason_iad.expert.detectors.base import Detection, Detector
from reason_iad.files import Log
from reason_iad.images import LoadedImage
from reason_iad.schema import ModelVersion

MODEL = ModelVersion(name="stub", family="stub", sha256="0" * 64, device="cpu", dtype="float32")


class Brightness:
    """Scores by brightness against the mean of the normal images; may fail or be interrupted."""

    name = statistic = "brightness"

    def __init__(
        self,
        stop_after: int | None = None,
        fail: str = "-",
        value: float | None = None,
        error: type[Exception] = ImageError,
    ) -> None:
        self.fitted: list[list[str]] = []
        self.seen: list[str] = []
        self._stop_after, self._fail, self._value = stop_after, fail, value
        self._error, self._normal = error, 0.0

    def fit(self, normals: Sequence[LoadedImage]) -> Brightness:
        self.fitted.append([image.sha256 for image in normals])
        self._normal = float(np.mean([np.asarray(image.pixels).mean() for image in normals]))
        return self

    def score(self, image: LoadedImage) -> Detection:
        if self._stop_after == len(self.seen):
            raise KeyboardInterrupt
        if self._fail in image.name:
            raise self._error(f"'{image.name}' is too dark.")
        self.seen.append(image.sha256)
        values = np.asarray(image.pixels, np.float32).mean(axis=2)[::4, ::4] - self._normal
        return Detection(self._value or float(values.max()), values, {"normal": self._normal})


def checked(root: Path) -> Checked:
    return check(read_dataset(root))


def run(
    root: Path, out: Path, detector: Detector | None = None, settings: Settings | None = None, **how: bool
) -> Outcome:
    save_maps = how.pop("save_maps", False)
    return run_detector(
        checked(root), settings or Settings(), Destination(out, **how), detector or Brightness(), MODEL,
        save_maps=save_maps,
    )  # fmt: skip


def files(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_a_run_writes_scores_maps_manifest_and_metrics(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    outcome = run(root, out, save_maps=True)
    lines = [ScoreRecord.model_validate_json(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert [line.id for line in lines] == [s.id for s in read_dataset(root).samples if s.split == "test"]
    assert np.load(out / "maps/nut/test/good/000.png.npy").shape == (5, 6)
    full = np.load(out / "maps_full/nut/test/good/000.png.npy")
    assert full.shape == (20, 24) and full.dtype == np.float16
    manifest = DetectManifest.model_validate_json((out / "manifest.json").read_text())
    assert (manifest.status, manifest.layout, manifest.images) == ("complete", "mvtec", 8)
    assert DetectReport.model_validate_json((out / "metrics.json").read_text()) == outcome.report
    assert outcome.report.categories[0].image_auroc == 1  # the spots are bright


def test_the_detector_sees_each_category_with_the_shots_drawn(tmp_path: Path) -> None:
    detector = Brightness()
    run(trees.mvtec(tmp_path / "set"), tmp_path / "run", detector, Settings(shots=2))
    assert [len(normals) for normals in detector.fitted] == [2, 2]


def test_with_templates_each_image_is_compared_with_its_own(tmp_path: Path) -> None:
    root = trees.manifest(tmp_path / "set")
    detector = Brightness()
    run(root, tmp_path / "run", detector, Settings(references="template"))
    facts = checked(root)
    templates = [facts.others[s.template] for s in read_dataset(root).samples if s.template]
    assert detector.fitted == [[sha] for sha in templates]


@pytest.mark.parametrize("stops", [[0], [1, 3, 2]])
def test_an_interrupted_run_ends_like_an_unbroken_one(stops: list[int], tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    run(root, tmp_path / "whole")
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            run(root, out, Brightness(stop_after=stop), resume=True)
        with (out / "scores.jsonl").open("a") as file:
            file.write('{"id": "nut/test/go')  # torn
    last = Brightness()
    run(root, out, last, resume=True)
    assert len(last.seen) == 8 - sum(stops)
    assert files(out) == files(tmp_path / "whole")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    script = f"""
        import os, signal
        from pathlib import Path
        from tests.bench.detect.test_running import Brightness, run
        class Killed(Brightness):
            def score(self, image):
                if len(self.seen) == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().score(image)
        run(Path({str(root)!r}), Path({str(out)!r}), Killed())
    """
    paths = os.pathsep.join(sys.path)
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], env={**os.environ, "PYTHONPATH": paths}, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert len((out / "scores.jsonl").read_text().splitlines()) == 3
    last = Brightness()
    run(root, out, last, resume=True)
    run(root, tmp_path / "whole")
    assert len(last.seen) == 5 and files(out) == files(tmp_path / "whole")


def test_a_run_that_another_one_writes_is_left_alone(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    run(root, out)
    before = files(out)
    with Log.resume(out / "scores.jsonl"):
        for how in ({"resume": True}, {"overwrite": True}, {}):
            with pytest.raises(OutputError, match=r"is writing '.*scores\.jsonl'; wait .*another --out\."):
                run(root, out, **how)
    assert files(out) == before
    run(root, out, resume=True)
    assert files(out) == before


def test_a_score_whose_map_is_gone_is_made_again(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    run(root, out)
    before = files(out)
    (out / "maps/nut/test/good/000.png.npy").unlink()
    again = Brightness()
    run(root, out, again, resume=True)
    assert len(again.seen) == 1 and files(out) == before


def test_results_are_neither_mixed_nor_lost(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    run(root, out)
    before = files(out)
    with pytest.raises(DatasetError, match="--resume"):
        run(root, out)
    for settings, complaint in ((Settings(seed=1), "seed 0 instead of 1"), (Settings(shots=2), "shots 8"),
                                (Settings(limit=1), "limit None instead of 1")):  # fmt: skip
        with pytest.raises(DatasetError, match=complaint):
            run(root, out, settings=settings, resume=True)
    trees.mask(root / "nut/ground_truth/scratch/000_mask.png", box=(0, 0, 4, 4))
    with pytest.raises(DatasetError, match="other images or masks"):
        run(root, out, resume=True)
    other = MODEL.model_copy(update={"sha256": "1" * 64})
    with pytest.raises(DatasetError, match="other weights"):
        run_detector(checked(root), Settings(), Destination(out, resume=True), Brightness(), other)
    assert files(out) == before


def test_overwriting_begins_anew_and_spares_what_is_not_its_own(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    run(root, out)
    (out / "maps/notes.txt").write_text("mine")
    again = Brightness()
    run(root, out, again, Settings(limit=1), overwrite=True)
    assert len(again.seen) == 2
    assert len(list(out.rglob("*.npy"))) == 2 and (out / "maps/notes.txt").read_text() == "mine"
    (out / "manifest.json").write_text('{"method": "full"}')
    with pytest.raises(DatasetError, match="not the manifest of a detection run"):
        run(root, out, overwrite=True)


def test_failed_images_are_written_down_and_tried_again(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    outcome = run(root, out, Brightness(fail="001"))
    assert [f.id for f in outcome.failures] == [s.id for s in read_dataset(root).samples
                                                if s.split == "test" and "001" in s.id]  # fmt: skip
    assert outcome.failures[0].error == "'001.png' is too dark."
    assert outcome.report.categories[0].failed == 2
    mended = Brightness()
    assert not run(root, out, mended, resume=True).failures and len(mended.seen) == 4


def test_whatever_a_detector_raises_costs_one_image(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    outcome = run(root, out, Brightness(fail="001", error=RuntimeError))
    assert len(outcome.failures) == 4 and len((out / "scores.jsonl").read_text().splitlines()) == 8
    assert outcome.failures[0].error == "RuntimeError: '001.png' is too dark."

    class Unfit(Brightness):
        def fit(self, normals: Sequence[LoadedImage]) -> Brightness:
            if self.fitted:
                raise MemoryError("none left")
            return super().fit(normals)

    outcome = run(root, tmp_path / "other", Unfit())
    assert {(one.category, one.error) for one in outcome.failures} == {("tile", "MemoryError: none left")}


def test_a_map_that_is_none_costs_one_image(tmp_path: Path) -> None:
    class Listing(Brightness):
        def score(self, image: LoadedImage) -> Detection:
            found = super().score(image)
            return replace(found, map=found.map.tolist()) if image.name == "001.png" else found

    outcome = run(trees.mvtec(tmp_path / "set"), tmp_path / "run", Listing())
    assert len(outcome.failures) == 4 and str(outcome.failures[0].error).startswith("AttributeError: ")


def test_the_manifest_tells_what_computed_the_scores(tmp_path: Path) -> None:
    run(trees.mvtec(tmp_path / "set"), tmp_path / "run")
    manifest = DetectManifest.model_validate_json((tmp_path / "run/manifest.json").read_text())
    for name in ("torch", "transformers", "pillow", "numpy", "scipy"):
        assert manifest.packages[name] == version(name)
    assert manifest.packages["reason-iad"] == __version__


def test_a_score_that_is_not_finite_is_a_failure(tmp_path: Path) -> None:
    outcome = run(trees.mvtec(tmp_path / "set"), tmp_path / "run", Brightness(value=float("nan")))
    assert len(outcome.failures) == 8 and "must be finite" in str(outcome.failures[0].error)
    assert outcome.report.categories[0].image_auroc is None


def test_an_unreadable_reference_fails_its_category_alone(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path / "set")
    broken = root / "nut/train/good/000.png"
    broken.write_bytes(broken.read_bytes()[:-200])  # the header is fine
    outcome = run(root, tmp_path / "run")
    assert {f.category for f in outcome.failures} == {"nut"} and len(outcome.failures) == 4


def test_maps_made_elsewhere_are_judged_alike(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    outcome = run(root, out)
    settings = replace(Settings(), detector=EXTERNAL, references="none")
    judged = score_maps(checked(root), settings, Destination(tmp_path / "other"), out / "maps")
    assert judged.resized == 8
    for name in ("image_auroc", "pixel_auroc", "pixel_ap", "aupro_30", "aupro_05"):
        assert judged.report.mean[name] == pytest.approx(outcome.report.mean[name])
    again = score_maps(checked(root), settings, Destination(tmp_path / "other", resume=True), out / "maps")
    assert again.report == judged.report
    with pytest.raises(DatasetError, match="choose another --out"):
        score_maps(checked(root), settings, Destination(out, overwrite=True), out / "maps")


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_finds_a_bright_spot(name: str, tmp_path: Path) -> None:
    from reason_iad.backbones.fake import FakeBackbone
    from reason_iad.expert.encoders.tower import TowerEncoder

    detector = make_detector(name, TowerEncoder(FakeBackbone()))
    root = trees.mvtec(tmp_path / "set", ("nut",))
    for index, shots in enumerate((1, 3)):
        outcome = run(root, tmp_path / f"run{index}", detector, Settings(detector=name, shots=shots))
        (nut,) = outcome.report.categories
        assert not outcome.failures and detector.statistic
        assert nut.pixel_auroc is not None and nut.pixel_auroc > 0.9
        assert nut.image_auroc is not None and nut.image_auroc >= 0.5
