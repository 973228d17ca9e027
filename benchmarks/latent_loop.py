"""What latent reasoning costs, three ways on the same weights, alternating in one process.

(a) as the closest public code runs it: every step runs the vision tower and the whole sequence twice, with all
    attention weights; (b) a clean uncached loop: vision once, fused attention, logits only where they are read, the
    latents' attention rows alone worked out again; like the others it looks once and scores once per step;
(c) ours: prefix once, a step costs its suffix, all candidates in one batch on the shared prefix.

    python benchmarks/latent_loop.py                                  # nano shape on the CPU
    python benchmarks/latent_loop.py --shape 80m --tokens 256 --threads 1 2
    python benchmarks/latent_loop.py --shape qwen2.5-vl-7b --device cuda --dtype bfloat16

Prints a table of medians with the floor (`floor.py`), and writes the same as JSON. On a noisy machine only the
ratios mean something.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from floor import measure_machine, phases
from reason_iad.backbones.base import Prefix, SuffixQuery
from reason_iad.backbones.chat import encode_content
from reason_iad.backbones.prompt import Data, ImageSlot, Prompt
from reason_iad.backbones.qwen2_5_vl import Qwen25VL
from reason_iad.config import ReasoningConfig
from reason_iad.inspection.prompts import build_prompt
from reason_iad.inspection.questions import Question, detection_question
from reason_iad.reasoning import Problem, assemble, reason
from shapes import SHAPES, build

STEPS, LATENTS, NEW_TOKENS, TEXT_TOKENS = 10, 4, 16, 400
Split = dict[str, float]


class Watch:
    """Seconds per phase, with the device waited for."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.split = device, dict[str, float]()
        self._last = self._now()

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def lap(self, phase: str) -> None:
        """Book the time since the last lap on a phase."""
        now = self._now()
        self.split[phase] = self.split.get(phase, 0.0) + now - self._last
        self._last = now


def make_prompt(backbone: Qwen25VL, question: Question) -> Prompt:
    """About `TEXT_TOKENS` tokens of knowledge, one image, one question."""
    words, text = "a gap interrupts a conductor, reject the board; ", ""
    while len(encode_content(backbone.tokenizer, text)) < TEXT_TOKENS:
        text += words
    return build_prompt((Data(text), ImageSlot(0), Data("\n")), question, latents=True)


def config_of(candidates: int) -> ReasoningConfig:
    """Ten steps whatever the rewards are, so that every way does the same work."""
    return ReasoningConfig(
        steps=STEPS, latents=LATENTS, candidates=candidates, antithetic=candidates > 1,
        leave_one_out=candidates > 1, reward_threshold=None, patience=None, attention_correction="none",
        map_prior=False, patches_per_step=1, max_patches=2,
    )  # fmt: skip


def ours(
    backbone: Qwen25VL, image: Image.Image, questions: Sequence[Question], candidates: int, shared: bool = True
) -> Split:
    """(c) one inspection with all its questions."""
    watch = Watch(backbone.device)
    head: Prefix | None = None
    for question in questions:
        prompt = make_prompt(backbone, question)
        if head is None or not shared:
            query = backbone.embed_image(image)
            watch.lap("vision")
            head = backbone.head(prompt, [query])
        problem = Problem(
            backbone.question(head, prompt), backbone.cue(prompt), query.tokens, head.images[-1],
            tuple(backbone.option_tokens("AB")),
        )  # fmt: skip
        watch.lap("prefill")
        thought = reason(backbone, problem, config_of(candidates), 0)
        watch.lap("steps")
        best = assemble(thought.best.latents[None], thought.best.patches, problem.tokens, problem.cue)
        _decode_exactly(backbone, problem.prefix, best.rows[0])
        watch.lap("decode")
    return watch.split


def direct(backbone: Qwen25VL, image: Image.Image, questions: Sequence[Question]) -> Split:
    """Answering without any reasoning: the same prefix and the same decoding."""
    watch = Watch(backbone.device)
    head: Prefix | None = None
    for question in questions:
        prompt = make_prompt(backbone, question)
        if head is None:
            query = backbone.embed_image(image)
            watch.lap("vision")
            head = backbone.head(prompt, [query])
        prefix = backbone.question(head, prompt)
        watch.lap("prefill")
        _decode_exactly(backbone, prefix, backbone.cue(prompt))
        watch.lap("decode")
    return watch.split


def _decode_exactly(backbone: Qwen25VL, prefix: Prefix, rows: torch.Tensor) -> None:
    """Random weights may stop at once; decode the full length whatever they say."""
    stops, backbone._stop_ids = backbone._stop_ids, frozenset  # type: ignore[method-assign,assignment]
    try:
        backbone.decode(prefix, rows, NEW_TOKENS)
    finally:
        backbone._stop_ids = stops  # type: ignore[method-assign]


def _inputs(backbone: Qwen25VL, image: Image.Image, question: Question) -> tuple[Any, Prefix, torch.Tensor]:
    prompt = make_prompt(backbone, question)
    batch = backbone.image_processor(images=[image], return_tensors="pt")
    query = backbone.embed_image(image)
    prefix = backbone.question(backbone.head(prompt, [query]), prompt)
    return batch, prefix, backbone.cue(prompt)


def public(backbone: Qwen25VL, image: Image.Image, questions: Sequence[Question], candidates: int) -> Split:
    """(a) vision tower and whole sequence twice per candidate step, all attention weights, all logits."""
    model, device = backbone.model, backbone.device
    split: Split = {}
    model.set_attn_implementation({"text_config": "eager", "vision_config": "sdpa"})
    try:
        for question in questions:
            batch, prefix, cue = _prepared(backbone, image, question)
            watch = Watch(device)
            pixels = batch["pixel_values"].to(device, model.model.visual.dtype)
            grid = batch["image_grid_thw"].to(device)
            rms = backbone.embedding_rms
            latents = backbone.think_embedding().expand(LATENTS, -1)

            def full(rows: torch.Tensor, weights: bool) -> Any:
                model.model.visual(pixels, grid_thw=grid)  # noqa: B023
                row = torch.cat((prefix.embeddings, rows))[None]  # noqa: B023
                axes = torch.cat((prefix.positions, backbone.text_positions(prefix.next_position, len(rows))), -1)  # noqa: B023
                return model.lm_head(
                    model.model.language_model(
                        inputs_embeds=row, position_ids=axes[:, None], use_cache=False, output_attentions=weights
                    ).last_hidden_state
                )

            with torch.no_grad():
                for _ in range(STEPS):
                    for _ in range(candidates):
                        rows = torch.cat((latents + 0.1 * rms * torch.randn_like(latents), cue))
                        full(rows, True)
                        full(rows, False)
                watch.lap("steps")
                rows = torch.cat((latents, cue))
                full(rows, False)
                watch.lap("prefill")
                _generate(backbone, prefix, rows)
                watch.lap("decode")
            for phase, seconds in watch.split.items():
                split[phase] = split.get(phase, 0.0) + seconds
    finally:
        backbone._use_suffix_attention()
    return split


def clean(backbone: Qwen25VL, image: Image.Image, questions: Sequence[Question], candidates: int) -> Split:
    """(b) vision once per inspection, fused attention, logits only where read; no cache in the loop."""
    model, device = backbone.model, backbone.device
    split: Split = {}
    model.set_attn_implementation({"text_config": "sdpa", "vision_config": "sdpa"})
    try:
        for question in questions:
            _, prefix, cue = _prepared(backbone, image, question)
            watch = Watch(device)
            backbone.embed_image(image)
            watch.lap("vision")
            latents = backbone.think_embedding().expand(LATENTS, -1)
            axes = torch.cat(
                (prefix.positions, backbone.text_positions(prefix.next_position, LATENTS + len(cue))), -1
            )
            read = [*range(prefix.length, prefix.length + LATENTS), prefix.length + LATENTS + len(cue) - 1]
            with torch.no_grad():
                for _ in range(STEPS):
                    for _ in range(candidates):
                        noise = 0.1 * backbone.embedding_rms * torch.randn_like(latents)
                        row = torch.cat((prefix.embeddings, latents + noise, cue))[None]
                        with _Looking(model.model.language_model, prefix) as look:
                            model.model.language_model(
                                inputs_embeds=row, position_ids=axes[:, None], use_cache=False
                            )
                        look.weights()
                        out = model.model.language_model(
                            inputs_embeds=row, position_ids=axes[:, None], use_cache=False
                        )
                        model.lm_head(out.last_hidden_state[:, read])
                watch.lap("steps")
                _generate(backbone, prefix, torch.cat((latents, cue)))
                watch.lap("decode")
            for phase, seconds in watch.split.items():
                split[phase] = split.get(phase, 0.0) + seconds
    finally:
        backbone._use_suffix_attention()
    return split


class _Looking:
    """Keeps every layer's normed input, from which the latents' attention to the image is worked out afterwards.

    Rotary embedding is left out: its cost on a few rows is nothing, and this is timed, not used.
    """

    def __init__(self, decoder: Any, prefix: Prefix) -> None:
        self.layers, self.prefix = decoder.layers, prefix
        self.inputs: list[torch.Tensor] = []

    def __enter__(self) -> _Looking:
        self.hooks = [layer.input_layernorm.register_forward_hook(self._keep) for layer in self.layers]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _keep(self, _module: Any, _inputs: Any, output: torch.Tensor) -> None:
        self.inputs.append(output[0])

    def weights(self) -> torch.Tensor:
        """(latents, S) attention of the latent rows, averaged over layers and heads."""
        start, total = self.prefix.length, torch.zeros(())
        for layer, hidden in zip(self.layers, self.inputs, strict=True):
            attention = layer.self_attn
            heads = (-1, hidden.shape[0], attention.head_dim)
            k = attention.k_proj(hidden).T.reshape(heads[0], heads[2], heads[1])
            q = attention.q_proj(hidden[start : start + LATENTS]).reshape(LATENTS, -1, heads[2]).transpose(0, 1)
            k = k.repeat_interleave(attention.num_key_value_groups, 0)
            total = total + (q @ k * attention.scaling).softmax(-1).mean(0)
        return total / len(self.layers)


def _generate(backbone: Qwen25VL, prefix: Prefix, rows: torch.Tensor) -> None:
    """Prefill and greedy decoding with transformers' own cache."""
    from transformers import DynamicCache

    cache = DynamicCache(config=backbone.model.config.get_text_config())
    embeddings = torch.cat((prefix.embeddings, rows))[None]
    axes = torch.cat((prefix.positions, backbone.text_positions(prefix.next_position, len(rows))), -1)
    at = prefix.next_position + len(rows)
    for _ in range(NEW_TOKENS):
        out = backbone.model.model.language_model(
            inputs_embeds=embeddings, position_ids=axes[:, None], past_key_values=cache, use_cache=True
        )
        token = backbone.model.lm_head(out.last_hidden_state[:, -1:]).argmax(-1)
        embeddings = backbone.model.get_input_embeddings()(token)
        axes, at = backbone.text_positions(at, 1), at + 1


_CACHE: dict[tuple[int, str], tuple[Any, Prefix, torch.Tensor]] = {}


def _prepared(backbone: Qwen25VL, image: Image.Image, question: Question) -> tuple[Any, Prefix, torch.Tensor]:
    """Inputs of the baselines, prepared outside their timing (this favours them)."""
    key = (id(backbone), question.text)
    if key not in _CACHE:
        backbone._use_suffix_attention()
        if len(_CACHE) > 8:
            _CACHE.clear()
        _CACHE[key] = _inputs(backbone, image, question)
    return _CACHE[key]


def step_seconds(backbone: Qwen25VL, image: Image.Image, candidates: int, repeats: int) -> float:
    """Median of one scoring evaluation alone."""
    prompt = make_prompt(backbone, detection_question())
    query = backbone.embed_image(image)
    prefix = backbone.question(backbone.head(prompt, [query]), prompt)
    rows = torch.cat((backbone.think_embedding().expand(LATENTS, -1), backbone.cue(prompt)))
    suffix = rows.expand(candidates, -1, -1).clone()
    wanted = SuffixQuery((*range(LATENTS), len(rows) - 1), tuple(range(LATENTS)), prefix.images[-1])
    times = []
    for _ in range(repeats):
        watch = Watch(backbone.device)
        backbone.evaluate(prefix, suffix, wanted)
        watch.lap("step")
        times.append(watch.split["step"])
    return statistics.median(times)


def compare(ways: dict[str, Callable[[], Split]], runs: int) -> dict[str, Split]:
    """Medians per phase and in total, the ways taking turns."""
    splits: dict[str, list[Split]] = {name: [] for name in ways}
    for turn in range(runs + 1):
        for name, way in ways.items():
            split = way()
            if turn:  # the first turn warms up
                splits[name].append(split | {"total": sum(split.values())})
    return {
        name: {phase: statistics.median(run.get(phase, 0.0) for run in taken) for phase in taken[0]}
        for name, taken in splits.items()
    }


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="nano")
    parser.add_argument("--tokens", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--candidates", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--skip-uncached", action="store_true", help="Only what does not need (a) and (b).")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    device = torch.device(options.device)
    results = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        print(f"-- {options.shape}, {device}, {options.dtype}, {threads} thread(s)")
        about = {"shape": options.shape, "threads": threads, "device": _device_name(device)}
        about |= {"dtype": options.dtype, "torch": torch.__version__, "steps": STEPS, "latents": LATENTS}
        results.append(
            {"about": about, "rows": [row for n in options.tokens for row in measure(options, n, device)]}
        )
        if options.json:
            options.json.write_text(json.dumps(results, indent=1))


def measure(options: argparse.Namespace, tokens: int, device: torch.device) -> list[dict[str, Any]]:
    """Every comparison at one number of visual tokens."""
    dtype = getattr(torch, options.dtype)
    backbone = build(options.shape, device, dtype, tokens)
    side = int(tokens**0.5) * 28
    array = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    image, one = Image.fromarray(array), [detection_question()]
    five = [Question(f"q{i}", f"Question {i}: is there a defect of kind {i}?", ("Yes", "No")) for i in range(5)]
    rows: list[dict[str, Any]] = []
    for candidates in options.candidates:
        ways: dict[str, Callable[[], Split]] = {
            "ours": lambda n=candidates: ours(backbone, image, one, n),
            "direct": lambda: direct(backbone, image, one),
        }
        if not options.skip_uncached and candidates == 1:
            ways["clean"] = lambda: clean(backbone, image, one, 1)
            ways["public"] = lambda: public(backbone, image, one, 1)
        rows.append({"tokens": tokens, "candidates": candidates, "questions": 1} | compare(ways, options.runs))
        _show(rows[-1])
    rows.append({"tokens": tokens, "floor": _floor(backbone, tokens, device, dtype)})
    ways = {
        "ours": lambda: ours(backbone, image, five, 1),
        "separate": lambda: ours(backbone, image, five, 1, shared=False),
    }
    rows.append({"tokens": tokens, "candidates": 1, "questions": 5} | compare(ways, options.runs))
    _show(rows[-1])
    steps = {n: step_seconds(backbone, image, n, 4 * options.runs) for n in (1, 8)}
    print(f"    one step alone: {1e3 * steps[1]:.2f} ms with 1 candidate, {steps[8] / steps[1]:.2f} x with 8")
    return [*rows, {"tokens": tokens, "step_seconds": steps}]


def _floor(backbone: Qwen25VL, tokens: int, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Print and return operations, bytes and least time of each phase of one inspection."""
    machine = measure_machine(device, dtype, backbone.model)
    text = len(encode_content(backbone.tokenizer, make_prompt(backbone, detection_question()).head[0].text))  # type: ignore[union-attr]
    cue = len(backbone.cue(make_prompt(backbone, detection_question())))
    work = phases(backbone.model, text, tokens, LATENTS, cue, STEPS)
    least = {phase: machine.seconds(part) for phase, part in work.items()}
    parts = ", ".join(
        f"{phase} {1e3 * least[phase]:.1f} ({part.operations / 1e9:.2f} GFLOP, {part.bytes / 1e6:.0f} MB)"
        for phase, part in work.items()
    )
    print(f"    floor     {1e3 * sum(least.values()):9.1f} ms   ({parts};")
    print(f"              at {machine.operations / 1e9:.0f} GFLOP/s and {machine.bytes / 1e9:.1f} GB/s)")
    return {
        phase: {"operations": part.operations, "bytes": part.bytes, "seconds": least[phase]}
        for phase, part in work.items()
    } | {"machine": {"operations": machine.operations, "bytes": machine.bytes}}


def _show(row: dict[str, Any]) -> None:
    print(f"{row['tokens']} visual tokens, {row['candidates']} candidate(s), {row['questions']} question(s)")
    for name in ("public", "clean", "separate", "ours", "direct"):
        if name not in row:
            continue
        split = row[name]
        phases = ", ".join(f"{phase} {1e3 * s:.1f}" for phase, s in split.items() if phase != "total")
        ratio = split["total"] / row["ours"]["total"]
        loop = f", loop {split['steps'] / row['ours']['steps']:.1f} x" if "steps" in split else ""
        print(f"    {name:9s} {1e3 * split['total']:9.1f} ms  {ratio:6.2f} x ours{loop}   ({phases})")


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu"


if __name__ == "__main__":
    main()
