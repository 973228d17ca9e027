"""What a detection run writes: its conditions once, one line per image, and the metrics."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reason_iad.schema import ModelVersion, Record

DETECT_VERSION = "1.0"
"""Version of the files of a run; a new field raises the minor number."""

MANIFEST = "manifest.json"
SCORES = "scores.jsonl"
SCORES_TABLE = "scores.csv"
METRICS = "metrics.json"
MAPS = "maps"
FULL_MAPS = "maps_full"


class ScoreRecord(Record):
    """One image: a line of `scores.jsonl`."""

    id: str = Field(description="Path of the image below the set's folder.")
    category: str
    kind: str = Field(description="'good', or the kind of defect.")
    label: Literal[0, 1]
    width: int
    height: int
    score: float | None = Field(description="Larger is less normal; None if the image failed.")
    details: dict[str, float] = Field(default_factory=dict, description="What else the detector says.")
    error: str | None = Field(default=None, description="Why there is no score.")


class DetectManifest(Record):
    """Under what conditions a run is made: `manifest.json`. Resuming under others is refused."""

    run_version: str = DETECT_VERSION
    status: Literal["running", "complete"]
    detector: str
    encoder: str = Field(default="tower", description="What makes the feature maps that are compared.")
    encoder_sha256: str = Field(default="", description="Its hash, where no model was loaded that states it.")
    statistic: str = Field(description="What the image score and the map are.")
    dataset: str = Field(description="Name of the folder.")
    layout: str
    dataset_sha256: str = Field(description="Of all that is used: images, masks, templates, labels.")
    categories: tuple[str, ...]
    left_out: tuple[str, ...] = Field(description="Images left out because of problems.")
    references: Literal["train", "template", "none"]
    shots: int | None = Field(description="Normal images compared with, per category; None: all.")
    seed: int
    limit: int | None = Field(description="Images judged per category; None: all.")
    images: int = Field(description="Images judged.")
    model: ModelVersion | None
    packages: dict[str, str]


class CategoryMetrics(Record):
    """The metrics of one category, each in [0, 1] or None with a reason in `undefined`."""

    category: str
    normal: int = Field(description="Normal test images with a score.")
    abnormal: int
    failed: int = Field(default=0, description="Images without a score. They are in no metric.")
    regions: int = Field(description="Defect regions.")
    saturated: bool = Field(description="Whether overlap saturates: `aupro` is then AU-sPRO (MVTec LOCO).")
    image_auroc: float | None
    image_ap: float | None
    image_f1_max: float | None
    pixel_auroc: float | None
    pixel_ap: float | None
    aupro_30: float | None = Field(description="Up to a false positive rate of 0.3, divided by it.")
    aupro_05: float | None = Field(description="Up to 0.05.")
    f1_threshold: float | None = Field(description="Image score at and above which F1 is best.")
    kinds: dict[str, float | None] = Field(description="Image AUROC of each kind of defect against the normal.")
    undefined: dict[str, str] = Field(description="Metric to the reason why it is None.")


class DetectReport(Record):
    """Metrics of a run: `metrics.json`."""

    run_version: str = DETECT_VERSION
    categories: tuple[CategoryMetrics, ...]
    mean: dict[str, float | None] = Field(description="Mean over the categories that define the metric.")
    mean_of: dict[str, int] = Field(description="How many categories that are.")


METRIC_NAMES: dict[str, str] = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "image_f1_max": "image F1-max",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "aupro_30": "AUPRO 0.3",
    "aupro_05": "AUPRO 0.05",
}
"""Metric to the head of its column, in the order of the table."""
