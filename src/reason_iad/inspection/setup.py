"""What stays between inspections: the model, the knowledge, the configuration, and the cache of good parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reason_iad.backbones.base import ChatModel
from reason_iad.config import PRESETS, InspectorConfig, Method, ReasoningConfig
from reason_iad.errors import ModelError
from reason_iad.expert.cache import ReferenceCache
from reason_iad.expert.good_parts import Chooser

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone
    from reason_iad.expert.comparison import Comparison
    from reason_iad.expert.detectors.base import Detector
    from reason_iad.inspection.fusion import LateFusion
    from reason_iad.knowledge import Gallery, KnowledgeStore
    from reason_iad.schema import ModelVersion

BUILT_IN = "suspicion"
"""The detector that is the built-in comparison by another name."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that all inspections share. Nothing in it changes but the cache, which threads may share.

    Attributes:
        model: the frozen model, local or behind an API.
        knowledge: the store, or None.
        gallery: where categories are found, or None.
        config: the configuration in force.
        method, reasoning: what it resolves to.
        comparison: compares with good parts; None behind an API, which gives no features.
        detector: takes the place of the comparison in verdicts; None unless the configuration names one.
        fusion: how the model's looks and the comparison are weighed; None where the model answers alone.
        chooser: chooses good parts.
        cache: what was computed from good parts.
        fusion_sha256: hash of the weights in `fusion`; None without.
        knowledge_sha256: hash of the knowledge; None without.
    """

    model: Backbone | ChatModel
    knowledge: KnowledgeStore | None
    gallery: Gallery | None
    config: InspectorConfig
    method: Method
    reasoning: ReasoningConfig | None
    comparison: Comparison | None
    detector: Detector | None
    fusion: LateFusion | None
    chooser: Chooser
    cache: ReferenceCache
    fusion_sha256: str | None
    knowledge_sha256: str | None

    @property
    def version(self) -> ModelVersion:
        """Which weights answer, those of the verdict and of the encoder included."""
        used = {"fusion_sha256": self.fusion_sha256}
        if self.comparison is not None:
            used["encoder_sha256"] = self.comparison.encoder.sha256
        return self.model.version.model_copy(update=used)

    @property
    def local(self) -> Backbone:
        """The model, where its inside can be reached.

        Raises:
            ModelError: it is behind an API.
        """
        if isinstance(self.model, ChatModel):
            raise ModelError(f"'{self.model.version.name}' gives text only, no features; use a local model.")
        return self.model


def make_setup(
    model: Backbone | ChatModel,
    knowledge: KnowledgeStore | None,
    config: InspectorConfig,
    gallery: Gallery | None = None,
) -> Setup:
    """Bring together what inspections share. Nothing is computed yet.

    Raises:
        ModelError: the model's weights for the verdict cannot be read.
        ConfigError: there is no encoder or detector of the name in the configuration.
    """
    cache = ReferenceCache()
    comparison, detector, fusion, fused = None, None, None, None
    most = config.max_references
    if not isinstance(model, ChatModel):
        from reason_iad.expert.comparison import Comparison
        from reason_iad.expert.detectors import make_detector
        from reason_iad.expert.encoders import make_encoder
        from reason_iad.inspection.fusion import fusion_sha256, load_fusion

        encoder = make_encoder(config.encoder, model)
        comparison = Comparison(encoder, config.align, cache)
        if config.detector not in (None, BUILT_IN):
            detector = make_detector(str(config.detector), encoder)
        if model.directory is not None and config.fuse:
            fusion = load_fusion(model.directory)
            fused = None if fusion is None else fusion_sha256(model.directory)
        most = max(most, config.map_references)
    return Setup(
        model=model,
        knowledge=knowledge,
        gallery=gallery,
        config=config,
        method=PRESETS[config.method],
        reasoning=config.reasoning_config(),
        comparison=comparison,
        detector=detector,
        fusion=fusion,
        chooser=Chooser(most, None if comparison is None else comparison.layout, cache.layouts, config.white),
        cache=cache,
        fusion_sha256=fused,
        knowledge_sha256=None if knowledge is None else knowledge.sha256(),
    )
