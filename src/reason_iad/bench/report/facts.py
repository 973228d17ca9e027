"""What a report says in sentences: under what conditions a run was made, and what its figures mean."""

from __future__ import annotations

import json
from dataclasses import asdict

from reason_iad.bench.records import Manifest
from reason_iad.bench.report.summary import Summary
from reason_iad.bench.report.tables import percent
from reason_iad.config import PRESETS


def conditions(summary: Summary) -> list[tuple[str, str]]:
    """Name and value of what decided the answers."""
    manifest = summary.manifest
    model = manifest.model
    shots = "no normal template" if manifest.shots == 0 else f"{manifest.shots} normal, {manifest.templates}"
    shown = manifest.config.get("max_references", manifest.shots)
    if shown < manifest.shots:
        shots += f", {shown} of them shown"
    knowledge = f"sha256 {manifest.knowledge_sha256[:12]}" if manifest.knowledge_sha256 else "none"
    told = manifest.method not in PRESETS or PRESETS[manifest.method].knowledge
    rows = [
        ("method", ", ".join([manifest.method, *changed_options(manifest)])),
        ("model", f"{model.name} ({model.family}, {model.dtype} on {model.device}, sha256 {model.sha256[:12]})"),
        (
            "answers",
            "option likelihoods" if manifest.answers == "likelihood" else "generated text, parsed strictly",
        ),
        ("templates", shots),
        *([("knowledge", knowledge)] if told else []),
        ("seed", str(manifest.seed)),
        (
            "questions",
            f"{len(summary.answers)} of {manifest.questions} answered, sha256 {manifest.questions_sha256[:12]}",
        ),
        ("packages", ", ".join(f"{name} {version}" for name, version in sorted(manifest.packages.items()))),
    ]
    rows += [(name, str(value)) for name, value in sorted(manifest.options.items())]
    return rows


def changed_options(manifest: Manifest) -> list[str]:
    """Options that are not those of the method, 'sigma 0.3' each; and what is beside the method."""
    told = {"align": "templates laid as the image", "fuse": "map weighed into the answers"}
    beside = [text for name, text in told.items() if manifest.config.get(name)]
    if manifest.config.get("option_orders") == "cyclic":
        beside.append("options in all orders")
    return [*_changed_reasoning(manifest), *beside]


def _changed_reasoning(manifest: Manifest) -> list[str]:
    preset = PRESETS[manifest.method].reasoning if manifest.method in PRESETS else None
    found = manifest.config.get("reasoning")
    if preset is None or not isinstance(found, dict):
        return []
    usual = json.loads(json.dumps(asdict(preset)))
    return [f"{name} {found[name]}" for name, value in usual.items() if name in found and found[name] != value]


def findings(summary: Summary) -> list[str]:
    """What the figures beyond accuracy say, a sentence each; nothing about what the run has not."""
    return [*_calibration(summary), *_reasoning(summary), *_injection(summary), *_timing(summary)]


def _calibration(summary: Summary) -> list[str]:
    judged, risk = summary.calibration, summary.risk
    if judged is None or risk is None:
        return []
    lean = "surer than it is right" if judged.confidence > judged.accuracy else "less sure than it is right"
    kept = next(point for point in zip(risk.coverage, risk.risk, strict=True) if point[0] >= 0.5)
    return [
        f"Confidence: the model is {lean} (mean confidence {percent(judged.confidence)} %, accuracy "
        f"{percent(judged.accuracy)} %); calibration error {percent(judged.ece)} % (bins of equal width) and "
        f"{percent(judged.ece_mass)} % (of equal size), Brier score {judged.brier:.3f}.",
        f"Risk: {percent(1 - judged.accuracy)} % of the answers are wrong; of the surest {percent(kept[0])} %, "
        f"{percent(kept[1])} % are. Area under the risk-coverage curve {risk.aurc:.3f}.",
    ]


def _reasoning(summary: Summary) -> list[str]:
    found = summary.reasoning
    if found is None:
        return []
    pairs = found.pairs
    sentence = (
        f"Latent reasoning changed {found.changed} of {pairs.asked} answers: {pairs.first} became right, "
        f"{pairs.second} became wrong ({p_value(found.p)})."
    )
    return [sentence + (" That is within noise." if found.p >= 0.05 else "")]


def _injection(summary: Summary) -> list[str]:
    found = summary.injection
    if found is None:
        return []
    low, high = found.difference
    verdict = "more often" if low > 0 else "less often" if high < 0 else "not clearly more often"
    return [
        f"Injected patches touch the defect's mask {verdict} than by chance: {percent(found.inside)} % of them do, "
        f"against {percent(found.chance)} % of all patches (difference {percent(low)} to {percent(high)} points, "
        f"{found.answers} questions)."
    ]


def _timing(summary: Summary) -> list[str]:
    timing = summary.timing
    if timing is None:
        return []
    return [
        f"Time per question: median {timing.median:.0f} ms, 95 % within {timing.quantile(0.95):.0f} ms, "
        f"{sum(timing.ms) / 60000:.1f} minutes in all; peak memory {timing.peak_mb:.0f} MB."
    ]


def p_value(p: float) -> str:
    """A p-value as it is usually printed, with its sign."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}" if p < 0.01 else f"p = {p:.2f}"
