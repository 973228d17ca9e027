"""Under what conditions a run is made: told by the user, resolved to configurations, compared before it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from reason_iad.backbones.chat_use import TIMEOUT, check_use
from reason_iad.bench.overrides import override
from reason_iad.bench.packages import versions
from reason_iad.bench.questions import Templates, questions_sha256
from reason_iad.bench.records import RUN_VERSION, Manifest
from reason_iad.bench.work import Unit
from reason_iad.config import InspectorConfig, Orders
from reason_iad.errors import ConfigError

Answers = Literal["likelihood", "text"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What one command is told, whatever the method. Plain data: it travels to other machines.

    Attributes:
        images: the folder that keys are relative to.
        model, knowledge, device, dtype, base_url, timeout: as in `Inspector.from_pretrained`.
        answers: read from the likelihood of the letters, or parsed from generated text.
        shots: normal templates per image.
        shown: how many of them the model sees; the map compares with all. None: all.
        templates: the list they come from.
        limit: images asked about; None: all.
        seed: of the reasoning and of that choice.
        option_orders: as in `InspectorConfig`.
        align: lay templates as the image lies, as inspections do.
        fuse: weigh a closer look and what differs into answers, as inspections do.
        overrides: options of the reasoning to change, 'name=value' each.
    """

    images: Path
    model: str = "nano"
    knowledge: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    base_url: str | None = None
    timeout: float = TIMEOUT
    answers: Answers = "likelihood"
    shots: int = 1
    shown: int | None = None
    templates: Templates = "random"
    limit: int | None = None
    seed: int = 0
    option_orders: Orders = "given"
    align: bool = False
    fuse: bool = False
    overrides: tuple[str, ...] = ()

    def config(self, method: str) -> InspectorConfig:
        """The configuration of one method.

        Raises:
            ConfigError, ModelError: there is no such method, this model cannot do what it takes, or options exclude
                each other.
        """
        if self.answers == "text" and self.option_orders != "given":
            raise ConfigError(
                "Only likelihoods of options can be averaged over their orders; leave out --option-orders, or "
                "choose --answers likelihood."
            )
        if self.answers == "text" and self.fuse:
            raise ConfigError("A written answer has no probabilities to weigh; leave out --fuse or --answers text.")
        if self.fuse and not self.shots:
            raise ConfigError("There is no map to weigh without a normal template; leave out --fuse or --shots 0.")
        check_use(self.model, base_url=self.base_url, timeout=self.timeout, method=method, gallery=False)
        if self.shown is not None and self.shown > self.shots:
            raise ConfigError(f"--shown {self.shown} of --shots {self.shots} templates cannot be; raise --shots.")
        shown = self.shots if self.shown is None else self.shown
        config = InspectorConfig(
            method=method, seed=self.seed, max_references=shown,
            map_references=max(InspectorConfig().map_references, self.shots), option_orders=self.option_orders,
            align=self.align, fuse=self.fuse, reasoning=override(method, self.overrides),
        )  # fmt: skip
        if self.answers == "text":  # a written answer may take as long as a thought
            config = replace(config, explanation_tokens=config.thought_tokens)
        return config

    def anywhere(self) -> Settings:
        """The same with absolute paths, for processes that run in other folders."""
        model = Path(self.model).expanduser()
        return replace(
            self,
            images=self.images.absolute(),
            knowledge=None if self.knowledge is None else self.knowledge.absolute(),
            model=str(model.absolute()) if model.is_dir() and self.model not in ("nano", "fake") else self.model,
        )


def conditions(
    settings: Settings,
    method: str,
    units: Sequence[Unit],
    knowledge_sha256: str | None,
    threads: int | None = None,
) -> dict[str, Any]:
    """The fields of a manifest that are known before the model is loaded."""
    config = settings.config(method)
    effective = asdict(config) | {"reasoning": asdict(r) if (r := config.reasoning_config()) else None}
    return {
        "run_version": RUN_VERSION,
        "method": method,
        "config": json.loads(json.dumps(effective)),  # as it will be read back: lists for tuples
        "answers": settings.answers,
        "shots": settings.shots,
        "templates": settings.templates,
        "seed": settings.seed,
        "limit": settings.limit,
        "questions": sum(len(unit.questions) for unit in units),
        "questions_sha256": questions_sha256(units),
        "knowledge_sha256": knowledge_sha256,
        "packages": versions(),
        "options": {} if threads is None else {"threads": threads},
    }


_OTHER = {
    "questions_sha256": "other questions",
    "knowledge_sha256": "other knowledge",
    "run_version": "another version of this program",
}
"""How a difference is named whose values say nothing to a reader."""
_EXPLAIN_CONFIG = frozenset({"method", "seed", "shots"})
_EXPLAIN_QUESTIONS = frozenset({"limit", "seed", "shots", "templates"})


def differences(made: Manifest, wanted: Mapping[str, Any]) -> list[str]:
    """What differs between a run and the conditions (some fields of a manifest) it is to go on under, in words.

    A package that the run did not write down is no difference: nobody knows which version it was.
    """
    old = made.model_dump(mode="json")
    if "packages" in wanted:
        known = {name: version for name, version in wanted["packages"].items() if name in made.packages}
        wanted = {**wanted, "packages": known}
    differing = {name for name, value in wanted.items() if old[name] != value}
    if differing & _EXPLAIN_CONFIG:
        differing.discard("config")
    if differing & _EXPLAIN_QUESTIONS or "questions_sha256" in differing:
        differing.discard("questions")
    if differing & _EXPLAIN_QUESTIONS:
        differing.discard("questions_sha256")
    words: list[str] = []
    for name in wanted:
        if name not in differing:
            continue
        if name in _OTHER:
            words.append(_OTHER[name])
        elif isinstance(old[name], dict):
            words += _nested(name, old[name], wanted[name])
        else:
            words.append(f"{name} {old[name]} instead of {wanted[name]}")
    return words


def _nested(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Differences within a field that is a table."""
    if name == "model" and old.get("name") == new.get("name") and old.get("sha256") != new.get("sha256"):
        return ["other weights of the model"]
    words: list[str] = []
    for key in dict.fromkeys((*old, *new)):
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            words += _nested(f"{name} {key}", before, now)
        elif before != now:
            words.append(f"{name} {key} {_shown(before)} instead of {_shown(now)}")
    return words


def _shown(value: Any) -> str:
    return "other values" if isinstance(value, dict | list) else str(value)
