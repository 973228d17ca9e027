"""Stages two and three: the decoder learns to compare, to read and to answer; then everything together.

In the answer stage the tower is frozen, and pools of image tokens are asked about several times. The joint stage
draws fresh pairs and trains the tower too, gently.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from reason_iad.inspection.questions import LETTERS
from reason_iad_nano.decoder import PackedDecoder, Taps
from reason_iad_nano.encoding import IMAGE, THINK, Encoder
from reason_iad_nano.metrics import auc, balanced_accuracy
from reason_iad_nano.packing import TASKS, TEXT, LatentOdds, PackedBatch
from reason_iad_nano.pairs import PairBatch, count_at
from reason_iad_nano.texts import TextSetup, joint_batch, text_batch
from reason_iad_nano.tokenizer import load_tokenizer
from reason_iad_nano.tower import encode
from reason_iad_nano.training.decoder_heads import DecoderHeads, Inputs, letter_logits
from reason_iad_nano.training.heads import TowerHeads
from reason_iad_nano.training.pool import EXTRAS, pooled_batches
from reason_iad_nano.training.tower_stage import TowerTargets, tower_loss

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration

    from reason_iad_nano.training.prefetch import Workers
    from reason_iad_nano.training.settings import TrainSettings

TOKEN_RMS = 0.3
"""Scale given to image tokens when the decoder first meets them."""
TEXT_RMS = 0.1
"""Scale given to text tokens then: at the usual 0.02 the first layer's output would drown them."""


def image_tokens(model: Any, batch: PairBatch, device: str) -> Tensor:
    """(B, 2n, d) tokens of the references and then of the queries; (B, 3n, d) with the third images."""
    images = [batch.references, batch.queries, *([] if batch.extras is None else [batch.extras])]
    tokens = encode(model.model.visual, torch.from_numpy(np.concatenate(images)).to(device))
    return torch.cat(tokens.chunk(len(images)), dim=1)


@torch.no_grad()
def standardize_tokens(model: Any, tokens: Tensor) -> None:
    """Fold a mean of zero and one common scale per channel into the tower's last layer."""
    flat = tokens.float().flatten(0, -2)
    factor = TOKEN_RMS / flat.std(0).clamp_min(1e-4)
    last = model.model.visual.merger.mlp[2]
    last.bias.copy_((last.bias - flat.mean(0)) * factor)
    last.weight.mul_(factor[:, None])


class AnswerStage:
    """Objective, data and measures of both stages.

    Args:
        model: the whole model.
        settings: of the run.
        tokenizer: folder of the tokenizer.
        joint: train the tower too, on fresh pairs.
    """

    def __init__(
        self, model: Qwen2_5_VLForConditionalGeneration, settings: TrainSettings, tokenizer: str, *, joint: bool
    ) -> None:
        self.name = "joint" if joint else "answer"
        self.model, self.settings, self.joint = model, settings, joint
        self.decoder_heads = DecoderHeads(settings.model.width, settings.model.depth)
        self.tower_heads = TowerHeads(settings.model.width)
        self.heads: nn.Module = nn.ModuleDict({"decoder": self.decoder_heads, "tower": self.tower_heads})
        self.decoder = PackedDecoder(
            model.model.language_model, self.decoder_heads.layer_match, compile_layers=settings.compile
        )
        side = settings.size // 28
        self.setup = TextSetup(tokenizer, settings.branches, (side, side))
        encoder = Encoder(load_tokenizer(Path(tokenizer)))
        self.letters = [encoder.letter(letter) for letter in LETTERS]
        self._checks: list[PackedBatch] | None = None

    def prepare(self, validation: list[PairBatch]) -> None:
        """Before the very first step: put image and text tokens on one scale."""
        if self.joint or self.settings.start is not None:
            return
        with torch.no_grad():
            tokens = [image_tokens(self.model, batch, self.settings.device) for batch in validation[:4]]
        standardize_tokens(self.model, torch.cat(tokens))
        with torch.no_grad():
            table = self.model.model.language_model.embed_tokens.weight
            table.mul_(TEXT_RMS / table.pow(2).mean().sqrt())

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups with their peak learning rates."""
        rate = self.settings.rate * (0.75 if self.joint else 1.0)
        decoder, heads = list(self.model.model.language_model.parameters()), list(self.decoder_heads.parameters())
        seen = list(self.tower_heads.parameters())
        if not self.joint:  # they follow the tokens to their new scale, before the tower follows them
            wait = 0 if self.settings.start is None else self.settings.heads_first
            return [{"params": decoder, "peak": rate, "wait": wait}, {"params": [*heads, *seen], "peak": rate}]
        tower = [*self.model.model.visual.parameters(), *seen]
        return [
            {"params": [*decoder, *heads], "peak": rate},
            {"params": tower, "peak": self.settings.joint_tower_rate},
        ]

    def batches(self, workers: Workers, first_step: int) -> Iterator[tuple[Any, PackedBatch]]:
        """Image tokens (or fresh pairs, or None where there is only reading) with packed text."""
        if self.joint:
            return self._fresh(workers, first_step)
        return pooled_batches(self.settings, workers, first_step, self.setup, self._encode)

    def _fresh(self, workers: Workers, first_step: int) -> Iterator[tuple[PairBatch, PackedBatch]]:
        most, sizes, seed = self.settings.batch, self.settings.sizes, self.settings.seed

        def arguments() -> Iterator[tuple[Any, ...]]:
            step = first_step
            while True:
                size, extra = sizes[step % len(sizes)], EXTRAS[step % len(EXTRAS)]
                first, count = 50_000_000 + step * most, count_at(size, self.settings.size, most)
                yield first, count, "train", size, 1_000_000_000 + seed + step, self.setup, extra
                step += 1

        return workers.map(joint_batch, arguments())

    def _encode(self, batch: PairBatch) -> Tensor:
        """The tokens of a run of pairs, in half precision."""
        kind = self.settings.device.split(":")[0]
        with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=self.settings.half):
            return image_tokens(self.model, batch, self.settings.device).half()

    def _inputs(self, source: Any, packed: PackedBatch, seed: int | None) -> Inputs:
        """Embeddings of a batch: text, image tokens, latents with their noise."""
        device = self.settings.device
        fresh = isinstance(source, PairBatch)
        pool = image_tokens(self.model, source, device).float() if fresh else source
        pair = pool[torch.from_numpy(packed.pairs).to(pool.device)].to(device).float()  # (B, 2n or 3n, d)
        ids, sources = torch.from_numpy(packed.ids).to(device), torch.from_numpy(packed.sources).to(device)
        table = self.model.model.language_model.embed_tokens.weight
        embeddings = nn.functional.embedding(ids, table)
        chosen = pair.gather(1, sources.clamp_min(0)[..., None].expand(-1, -1, pair.shape[-1]))
        embeddings = torch.where((sources != TEXT)[..., None], chosen, embeddings)
        if seed is not None:
            rows = torch.nonzero(ids == THINK, as_tuple=True)
            generator = torch.Generator().manual_seed(seed)
            rms = table.detach().float().pow(2).mean().sqrt()
            draw = torch.randn(len(rows[0]), pair.shape[-1], generator=generator).to(device)
            scale = torch.from_numpy(packed.noise).to(device)[rows]
            embeddings = embeddings.index_put(rows, draw * scale[:, None] * rms, accumulate=True)
        return Inputs(embeddings, pair, (ids == IMAGE) & (sources != TEXT))

    def _run(self, embeddings: Tensor, packed: PackedBatch) -> Taps:
        device = self.settings.device
        segments = torch.from_numpy(packed.segments).to(device)
        return self.decoder(embeddings, segments, torch.from_numpy(packed.positions).to(device))

    def loss(self, batch: tuple[Any, PackedBatch], step: int) -> tuple[Tensor, dict[str, float]]:
        """Loss of one step and what it is made of."""
        source, packed = batch
        if source is None:
            return self._reading_loss(packed)
        inputs = self._inputs(source, packed, self.settings.seed * 1_000_003 + step)
        taps = self._run(inputs.embeddings, packed)
        table = self.model.model.language_model.embed_tokens.weight
        loss, parts = self.decoder_heads.loss(taps, inputs, packed, table)
        count = packed.coverage.shape[1]
        reference, query = inputs.pair[:, :count], inputs.pair[:, count : 2 * count]
        targets = TowerTargets(packed.coverage, packed.extent, packed.kinds, packed.labels[:, 3])
        seen, more = tower_loss(self.tower_heads(query, reference), targets)  # of pooled tokens: the heads alone
        return loss + seen, {**parts, **{f"tower_{name}": value for name, value in more.items()}}

    def _reading_loss(self, packed: PackedBatch) -> tuple[Tensor, dict[str, float]]:
        table = self.model.model.language_model.embed_tokens.weight
        embeddings = nn.functional.embedding(torch.from_numpy(packed.ids).to(self.settings.device), table)
        return self.decoder_heads.reading_loss(self._run(embeddings, packed), packed, table)

    def checks(self, validation: list[PairBatch]) -> list[PackedBatch]:
        """The fixed validation text, without latents."""
        if self._checks is None:
            setup = TextSetup(
                self.setup.tokenizer, self.setup.branches, self.setup.grid, latents=LatentOdds(share=0.0), chain=0.0
            )
            self._checks = [
                text_batch(batch.facts, range(len(batch.facts)), -1 - number, setup)
                for number, batch in enumerate(validation)
            ]
        return self._checks

    @torch.no_grad()
    def validate(self, batches: list[PairBatch]) -> dict[str, float]:
        """Accuracy per task, detection AUC, and the dense targets' measures."""
        tasks: list[np.ndarray[Any, Any]] = []
        cover: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = []
        table = self.model.model.language_model.embed_tokens.weight
        for batch, packed in zip(batches, self.checks(batches), strict=True):
            inputs = self._inputs(batch, packed, None)
            states = self._run(inputs.embeddings, packed).states
            logits = letter_logits(states[-1], packed, table, self.letters).float().cpu().numpy()
            tasks.append(
                np.stack([packed.letters[:, 4], packed.letters[:, 3], *self._judge(packed, logits)], axis=1)
            )
            cover.append((self.decoder_heads.cover(states, packed).float().cpu().numpy(), packed.coverage))
        return self._summary(np.concatenate(tasks), cover)

    def _judge(self, packed: PackedBatch, logits: np.ndarray[Any, Any]) -> tuple[Any, Any, Any]:
        """Right or wrong, whether the sample is defective, and how far A leads B in detection."""
        right = np.zeros(len(logits))
        score = np.full(len(logits), np.nan)
        for row, (_, _, token, options, task) in enumerate(packed.letters):
            letters = logits[row, :options]
            right[row] = float(self.letters[int(letters.argmax())] == token)
            if TASKS[task] == "detection":
                score[row] = letters[0] - letters[1]
        return right, packed.labels[packed.letters[:, 0], 0], score

    @staticmethod
    def _summary(rows: np.ndarray[Any, Any], cover: list[tuple[Any, Any]]) -> dict[str, float]:
        """Accuracies from rows (task, options, right, defective, score)."""
        result = {}
        for index, task in enumerate(TASKS):
            chosen = rows[rows[:, 0] == index]
            if len(chosen):
                result[task] = float(chosen[:, 2].mean())
        detection = rows[rows[:, 0] == TASKS.index("detection")]
        guessed = np.where(detection[:, 2] > 0, detection[:, 3], 1 - detection[:, 3])
        result["detection_balanced"] = balanced_accuracy(guessed, detection[:, 3])
        scores, truth = np.concatenate([c[0] for c in cover]), np.concatenate([c[1] for c in cover])
        result["cover_auc"] = auc(scores, truth >= 0.25)
        result["cover_image_auc"] = auc(scores.max(1), truth.max(1) > 0)
        return result
