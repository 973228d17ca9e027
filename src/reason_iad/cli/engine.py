"""What `inspect`, `ask` and `demo` load to work with, as the options describe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reason_iad.backbones.chat_use import TIMEOUT, api_name, check_use, is_api
from reason_iad.config import METHODS, InspectorConfig, ReasoningConfig
from reason_iad.errors import ConfigError

if TYPE_CHECKING:
    from reason_iad.inspection.inspector import Inspector
    from reason_iad.schema.verdict import OperatingPoint


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that `Inspector.from_pretrained` needs, checked as far as that is cheap."""

    model: str
    knowledge: Path | None
    gallery: Path | None
    device: str
    dtype: str
    config: InspectorConfig
    base_url: str | None = None
    timeout: float = TIMEOUT
    compile_steps: bool = False
    operating_point: OperatingPoint | None = None
    detect: bool = False

    def __post_init__(self) -> None:
        gallery = self.gallery is not None
        check_use(
            self.model, base_url=self.base_url, timeout=self.timeout, method=self.config.method, gallery=gallery
        )

    @property
    def model_name(self) -> str:
        """The name that results will give the model."""
        if is_api(self.model):
            return api_name(self.model, self.base_url)
        path = Path(self.model).expanduser()
        return path.resolve().name if self.model != "nano" and path.exists() else self.model

    @property
    def threshold(self) -> float:
        """The threshold in force."""
        return self.config.threshold if self.operating_point is None else self.operating_point.threshold

    def load(self) -> Inspector:
        """Load the model (seconds).

        Raises:
            ConfigError: no model is to be asked.
        """
        if self.detect:
            raise ConfigError(
                "Without a language model, parts can only be compared with good parts. Use --model none with "
                "`inspect`, and give --product or --reference."
            )
        if self.compile_steps and not is_api(self.model):
            return self._load_compiled()
        if self.model == "nano":
            from reason_iad.cli.quick_start import quick_start

            quick_start()
        from reason_iad.inspection.inspector import Inspector

        inspector = Inspector.from_pretrained(
            self.model,
            knowledge=self.knowledge,
            config=self.config,
            device=self.device,
            dtype=self.dtype,
            gallery=self.gallery,
            base_url=self.base_url,
            timeout=self.timeout,
        )
        return inspector.at(self.operating_point)

    def _load_compiled(self) -> Inspector:
        """The same with compiled steps, for a local model."""
        from reason_iad.backbones import load_backbone
        from reason_iad.expert.encoders import make_encoder
        from reason_iad.inspection.galleries import open_gallery
        from reason_iad.inspection.inspector import Inspector
        from reason_iad.knowledge import open_knowledge

        store = open_knowledge(self.knowledge)
        backbone = load_backbone(self.model, device=self.device, dtype=self.dtype, compile_steps=True)
        gallery = None
        if self.gallery is not None:
            gallery = open_gallery(self.gallery, make_encoder(self.config.encoder, backbone), self.config.white)
        return Inspector(backbone, store, self.config, gallery, operating_point=self.operating_point)


def make_config(
    method: str, *, reasoning: Mapping[str, int | float | None], threshold: float | None = None, **fields: Any
) -> InspectorConfig:
    """The configuration that options ask for.

    Args:
        method: its name.
        reasoning: fields of `ReasoningConfig` that options change; None: the method's own.
        threshold: None: the default.
        fields: the other fields of `InspectorConfig`.

    Raises:
        ConfigError: a value is out of its range, or the method has no use for it.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise ConfigError("--threshold is a number above 0 and at most 1, for example 0.5 for 50 %.")
    config = InspectorConfig(method=method, reasoning=_reasoning(method, reasoning), **fields)
    return config if threshold is None else replace(config, threshold=threshold)


def _reasoning(method: str, options: Mapping[str, int | float | None]) -> ReasoningConfig | None:
    """The method's reasoning with what options change; None if they change nothing."""
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if not given:
        return None
    preset = METHODS[method].reasoning
    if preset is None:
        option = next(iter(given)).replace("_", "-")
        able = ", ".join(name for name, each in METHODS.items() if each.reasoning)
        raise ConfigError(
            f"--{option} has no effect with --method {method}, which does not optimise think tokens. Leave it out, "
            f"or choose one of the methods {able}."
        )
    if (candidates := given.get("candidates")) is not None and candidates % 2:  # an odd number has no pairs
        given["antithetic"] = False
        given["leave_one_out"] = candidates > 1
    return replace(preset, **given)
