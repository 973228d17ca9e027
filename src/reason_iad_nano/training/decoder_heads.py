"""Targets inside the decoder, each at the layer by which it should be known.

Layer by layer: how the query's tokens differ from the reference's (regression; the only target that the query alone
cannot predict), and which line of the knowledge names an option; then what and where the defect is and what each
option means, then a report that gathers it behind the image, then which option agrees with the report. The letter,
asked once per branch, comes last. The heads are thrown away.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reason_iad.schema import SIZES
from reason_iad_nano.decoder import Taps
from reason_iad_nano.packing import PackedBatch
from reason_iad_nano.training.heads import FAMILY_SLOTS, KIND_SLOTS, coverage_loss, extent_loss, kind_loss

WEIGHTS = {
    "answer": 2.0, "difference": 2.0, "cover": 1.5, "kind": 0.3, "cell": 0.3, "extent": 1.0, "report": 0.5,
    "line": 0.3, "name": 1.0, "match": 1.0, "option_meaning": 0.4, "option_right": 1.5,
}  # fmt: skip
PLACE_WEIGHT, SIZE_WEIGHT = 4.0, 2.0
MATCH = 48
"""Width in which options and lines are compared: that of one head."""


class Inputs(NamedTuple):
    """What goes into the decoder.

    Attributes:
        embeddings: (B, S, d).
        pair: (B, 2n or 3n, d) image tokens: reference, query, third image.
        image: (B, S) which positions hold image tokens.
    """

    embeddings: Tensor
    pair: Tensor
    image: Tensor


def rows_at(states: Tensor, rows: npt.NDArray[np.int64], positions: npt.NDArray[np.int64]) -> Tensor:
    """(N, d) states of N (sequence, position) pairs."""
    device = states.device
    return states[torch.from_numpy(rows).to(device), torch.from_numpy(positions).to(device)]


def span(states: Tensor, first: npt.NDArray[np.int64], count: int) -> Tensor:
    """(B, count, d) states from `first` on."""
    index = torch.from_numpy(first).to(states.device)[:, None] + torch.arange(count, device=states.device)
    return states.gather(1, index[..., None].expand(-1, -1, states.shape[-1]))


def letter_logits(last: Tensor, packed: PackedBatch, table: Tensor, letters: list[int]) -> Tensor:
    """(Q, 26) logits of the letters A to Z at every lettered answer."""
    states = rows_at(last, packed.letters[:, 0], packed.letters[:, 1])
    return F.linear(states, table[torch.tensor(letters, device=table.device)])


class Found(nn.Module):
    """Whether an option is found again at the colon behind its name in the knowledge.

    A name that is seen for the first time means only what its line says, and nothing else rewards finding that line
    before the answer does. It takes two steps, and this is the first: what stands at the colon has only to gather
    the few tokens before it. The second is `looked_up`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.option = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, MATCH))
        self.row = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, MATCH))

    def forward(self, states: Tensor, options: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> Tensor | None:
        """Cross-entropy of the row of its own kind among the rows of its own sequence.

        Args:
            states: (B, S, d) of one layer.
            options: (M, 4) sequence, position, right, meaning.
            rows: (E, 3) sequence, position, kind.

        Returns:
            A scalar, or None if no option is named by any row.
        """
        near = options[:, None, 0] == rows[None, :, 0]
        same = near & (options[:, None, 3] == rows[None, :, 2])
        asked = same.any(1)
        if not asked.any():
            return None
        wanted = self.option(rows_at(states, options[asked, 0], options[asked, 1]))
        offered = self.row(rows_at(states, rows[:, 0], rows[:, 1]))
        logits = (wanted @ offered.T).float() / MATCH**0.5
        far, wrong = (torch.from_numpy(mask[asked]).to(states.device) for mask in (~near, ~same))
        right = logits.masked_fill(wrong, float("-inf")).logsumexp(1)
        loss: Tensor = (logits.masked_fill(far, float("-inf")).logsumexp(1) - right).mean()
        return loss


def looked_up(taps: Taps, options: npt.NDArray[np.int64], lines: npt.NDArray[np.int64]) -> Tensor | None:
    """How little attention the tapped head pays, from an option, to the end of the line that describes it.

    The end of a line knows what the line describes; read there, the option means it. A comparison by projections of
    its own was learnt as well and never used: the attention itself has to go there.

    Args:
        taps: of the decoder.
        options: (M, 4) sequence, position, right, meaning.
        lines: (E, 3) sequence, position, kind.

    Returns:
        A scalar, the mean of minus the logarithm of that attention, or None if no option is named by any line.
    """
    same = (options[:, None, 0] == lines[None, :, 0]) & (options[:, None, 3] == lines[None, :, 2])
    asked = same.any(1)
    if not asked.any():
        return None
    device, length = taps.keys.device, taps.keys.shape[1]
    sequence, position = (torch.from_numpy(options[asked, column]).to(device) for column in (0, 1))
    ends = np.zeros((int(asked.sum()), length), bool)
    row, line = np.nonzero(same[asked])
    ends[row, lines[line, 1]] = True
    queries, keys = taps.queries[sequence, position].float(), taps.keys.float()[sequence]
    with torch.autocast(device.type, enabled=False):  # in half precision logits of hundreds come in steps of two
        logits = torch.einsum("md,msd->ms", queries, keys) * queries.shape[-1] ** -0.5
    logits = logits.masked_fill(~taps.visible[sequence, position], float("-inf"))
    there = logits.masked_fill(~torch.from_numpy(ends).to(device), float("-inf"))
    loss: Tensor = (logits.logsumexp(1) - there.logsumexp(1)).mean()
    return loss


class DecoderHeads(nn.Module):
    """All heads of the answer stages.

    Args:
        width: of the decoder.
        depth: its layers.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layer_line = max(1, (depth + 1) // 3) - 1
        self.layer_image = max(1, (depth + 1) // 2) - 1
        self.layer_match = min(self.layer_line + 1, depth - 1)  # reads what the ends of the lines know
        self.layer_difference = max(0, self.layer_image - 1)  # the cover is a function of it, so it comes first
        self.layer_report = min(self.layer_image + 1, depth - 1)  # reads what the image tokens know
        self.layer_option = max(self.layer_report, depth - 2)  # compares its meaning with the report
        self.image = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1 + KIND_SLOTS + 9))
        self.difference = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.report = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1 + KIND_SLOTS + 9 + FAMILY_SLOTS))
        self.extent = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))
        self.size = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(SIZES)))
        self.line = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, KIND_SLOTS))
        self.found = Found(width)
        self.option_meaning = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, KIND_SLOTS))
        self.option_right = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    def cover(self, states: list[Tensor], packed: PackedBatch) -> Tensor:
        """(B, n) cover logits at the query's tokens."""
        logits: Tensor = self.image(span(states[self.layer_image], packed.query, packed.coverage.shape[1]))[..., 0]
        return logits

    def loss(
        self, taps: Taps, inputs: Inputs, packed: PackedBatch, table: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """Weighted sum of the answers' cross-entropy and all dense targets, and the parts."""
        states = taps.states
        parts = {"answer": self._answer(states[-1], packed, table)}
        parts |= self._image(states[self.layer_image], packed)
        parts |= self._difference(states[self.layer_difference], inputs, packed)
        parts |= self._report(states[self.layer_report], packed)
        parts |= self._text(taps, packed)
        total = torch.stack([WEIGHTS[name] * value for name, value in parts.items()]).sum()
        return total, {name: float(value.detach()) for name, value in parts.items()}

    def reading_loss(self, taps: Taps, packed: PackedBatch, table: Tensor) -> tuple[Tensor, dict[str, float]]:
        """The same of sequences without images: answers, lines and options."""
        parts = {"answer": self._answer(taps.states[-1], packed, table), **self._text(taps, packed)}
        total = torch.stack([WEIGHTS[name] * value for name, value in parts.items()]).sum()
        return total, {f"read_{name}": float(value.detach()) for name, value in parts.items()}

    @staticmethod
    def _answer(last: Tensor, packed: PackedBatch, table: Tensor) -> Tensor:
        device = last.device
        logits = F.linear(rows_at(last, packed.targets[:, 0], packed.targets[:, 1]), table).float()
        loss = F.cross_entropy(logits, torch.from_numpy(packed.targets[:, 2]).to(device), reduction="none")
        weights = torch.from_numpy(packed.weights).to(device)
        return (loss * weights).sum() / weights.sum()

    def _image(self, states: Tensor, packed: PackedBatch) -> dict[str, Tensor]:
        device = states.device
        count = packed.coverage.shape[1]
        query = span(states, packed.query, count)
        coverage, kinds = torch.from_numpy(packed.coverage).to(device), torch.from_numpy(packed.kinds).to(device)
        logits = self.image(query).float()
        down, across = (torch.arange(side, device=device) * 3 // side for side in packed.grid)
        cells = (down[:, None] * 3 + across).flatten().expand(len(coverage), -1)
        return {
            "cover": coverage_loss(logits[..., 0], coverage),
            "kind": kind_loss(logits[..., 1 : 1 + KIND_SLOTS], kinds, coverage),
            "cell": F.cross_entropy(logits[..., -9:].flatten(0, 1), cells.flatten()),
            "extent": extent_loss(self.extent(query)[..., 0], torch.from_numpy(packed.extent).to(device)),
        }

    def _difference(self, states: Tensor, inputs: Inputs, packed: PackedBatch) -> dict[str, Tensor]:
        shown = torch.from_numpy(packed.reference >= 0).to(states.device)
        if not bool(shown.any()):
            return {}
        count = packed.coverage.shape[1]
        target = (inputs.pair[:, count : 2 * count] - inputs.pair[:, :count]).detach()[shown]
        target = target / target.pow(2).mean().sqrt().clamp_min(1e-3)
        guess = self.difference(span(states, packed.query, count)[shown]).float()
        return {"difference": (guess - target).pow(2).mean()}

    def _report(self, states: Tensor, packed: PackedBatch) -> dict[str, Tensor]:
        device = states.device
        gathered = rows_at(states, np.arange(len(packed.report)), packed.report)
        logits, size = self.report(gathered).float(), self.size(gathered).float()
        labels = torch.from_numpy(packed.labels).to(device)
        kind, place = logits[:, 1 : 1 + KIND_SLOTS], logits[:, 1 + KIND_SLOTS : 10 + KIND_SLOTS]
        loss = F.binary_cross_entropy_with_logits(logits[:, 0], labels[:, 0].float())
        loss = loss + F.cross_entropy(logits[:, 10 + KIND_SLOTS :], labels[:, 3])
        if bool((labels[:, 0] > 0).any()):
            loss = loss + F.cross_entropy(kind, labels[:, 1], ignore_index=-1)
            loss = loss + SIZE_WEIGHT * F.cross_entropy(size, labels[:, 4], ignore_index=-1)
            # The place is learnt last of all, so it counts more.
            loss = loss + PLACE_WEIGHT * F.cross_entropy(place, labels[:, 2], ignore_index=-1)
        return {"report": loss}

    def _text(self, taps: Taps, packed: PackedBatch) -> dict[str, Tensor]:
        parts: dict[str, Tensor] = {}
        states = taps.states
        device = states[0].device
        if len(packed.lines):
            logits = self.line(rows_at(states[self.layer_line], packed.lines[:, 0], packed.lines[:, 1])).float()
            parts["line"] = F.cross_entropy(logits, torch.from_numpy(packed.lines[:, 2]).to(device))
            name = self.found(states[0], packed.options, packed.names)
            match = looked_up(taps, packed.options, packed.lines)
            parts |= {} if name is None else {"name": name}
            parts |= {} if match is None else {"match": match}
        if len(packed.options):
            where = packed.options[:, 0], packed.options[:, 1]
            right = torch.from_numpy(packed.options[:, 2]).to(device).float()
            logits = self.option_right(rows_at(states[self.layer_option], *where)).float()[:, 0]
            parts["option_right"] = F.binary_cross_entropy_with_logits(logits, right)
            meanings = torch.from_numpy(packed.options[:, 3]).to(device)
            if bool((meanings >= 0).any()):
                named = self.option_meaning(rows_at(states[self.layer_image], *where)).float()
                parts["option_meaning"] = F.cross_entropy(named, meanings, ignore_index=-1)
        return parts
