"""Is everything there that an inspection needs, and if not, how is it repaired?

Each check runs by itself and never raises: an error is its result. The last checks do what the user will do: they
load the model and inspect an image.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reason_iad import __version__
from reason_iad.errors import ReasonIADError

Status = Literal["ok", "note", "error"]
DISTRIBUTION = "reason-iad"
NEEDED_MEMORY_GIB = 1.5
"""Peak memory of an inspection with the embedded model; a larger model needs more."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        status: 'ok'; 'note' for something that is missing but not needed now; 'error' for what must be repaired.
        detail: what was found.
        mend: how to repair it, as a command if possible; '' if nothing is to be done.
    """

    name: str
    status: Status
    detail: str
    mend: str = ""


def examine(model: str = "nano", knowledge: Path | None = None, device: str = "auto") -> Iterator[Check]:
    """Run all checks, the quick ones first.

    Args:
        model: 'nano', a model directory, or a hub id (which is downloaded if it has to be).
        knowledge: as `Inspector.from_pretrained` takes it.
        device: where the model is to run.
    """
    for name, check in (
        ("system", _system),
        ("python packages", _packages),
        ("extras", _extras),
        ("torchvision", _torchvision),
        ("devices", _devices),
        ("cache folder", _cache),
        ("models found", _models),
        ("knowledge", lambda: _knowledge(knowledge)),
        ("model", lambda: _model(model, device)),
        ("inspection", lambda: _inspection(model, knowledge, device)),
    ):
        yield from _guarded(name, check)


def _guarded(name: str, check: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from check()
    except ReasonIADError as error:  # one sentence that already names the mend
        yield Check(name, "error", str(error))
    except Exception as error:
        yield Check(name, "error", f"{type(error).__name__}: {error}".strip())


def _system() -> Iterator[Check]:
    python = f"Python {platform.python_version()}"
    yield Check("reason-iad", "ok", f"{__version__}, {python} at {sys.executable}, {platform.platform()}")
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Check("cpu", "ok", f"{threads} threads, {platform.machine()}")
    memory = _memory_gib()
    if memory is not None:
        enough = memory >= NEEDED_MEMORY_GIB
        mend = (
            "" if enough else f"An inspection needs {NEEDED_MEMORY_GIB} GiB. Give this machine or container more."
        )
        yield Check("memory", "ok" if enough else "error", f"{memory:.1f} GiB", mend)


def _memory_gib() -> float | None:
    """Memory of the machine, or the container's limit if that is less; None where the system does not say."""
    try:
        limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):
        return None
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(file).read_text()))
        except (OSError, ValueError):  # no container, or 'max'
            continue
    return min(limits) / 2**30


def _packages() -> Iterator[Check]:
    wanted = _requirements(None)
    problems = [problem for name, specifier in wanted if (problem := _problem(name, specifier))]
    if problems:
        yield Check("packages", "error", "; ".join(problems), f"pip install --upgrade {DISTRIBUTION}")
    for name in ("torch", "transformers", "lancedb"):
        try:
            yield Check(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue  # named above


def _extras() -> Iterator[Check]:
    try:
        extras = importlib.metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for extra in extras:
        if extra == "dev":  # for those who change the package; `make` brings it
            continue
        missing = [name for name, specifier in _requirements(extra) if _problem(name, specifier)]
        if missing:
            mend = f"pip install '{DISTRIBUTION}[{extra}]'"
            yield Check(f"extra {extra}", "note", f"missing: {', '.join(missing)}", mend)
        else:
            yield Check(f"extra {extra}", "ok", "installed")


def _requirements(extra: str | None) -> list[tuple[str, str]]:
    """Names and version specifiers the installed package asks for: without an extra, or only those of one."""
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or []]
    except importlib.metadata.PackageNotFoundError:  # run from a source tree
        return []
    return [
        (requirement.name, str(requirement.specifier))
        for requirement in requirements
        if (requirement.marker is None or requirement.marker.evaluate({"extra": extra or ""}))
        and (extra is None or (requirement.marker is not None and "extra" in str(requirement.marker)))
    ]


def _problem(name: str, specifier: str) -> str:
    from packaging.specifiers import SpecifierSet

    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is missing"
    if not SpecifierSet(specifier).contains(version, prereleases=True):
        return f"{name} {version} is installed, but {specifier} is needed"
    return ""


def _torchvision() -> Iterator[Check]:
    """Nothing here needs torchvision, but one that does not match torch breaks transformers' Qwen classes."""
    if importlib.util.find_spec("torchvision") is None:
        yield Check("torchvision", "ok", "not installed, and not needed")
        return
    # In a process of its own: a broken one may take the whole interpreter with it.
    code = "import torchvision, transformers; transformers.Qwen2_5_VLForConditionalGeneration"
    result = subprocess.run(  # noqa: S603 - this very interpreter, fixed code
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    if result.returncode == 0:
        yield Check("torchvision", "ok", f"{importlib.metadata.version('torchvision')}, it works")
        return
    reason = (result.stderr.strip().splitlines() or ["it crashed"])[-1]
    mend = "pip uninstall torchvision (it is not needed). Or install the build that matches torch."
    yield Check("torchvision", "error", f"installed, but broken: {reason}", mend)


def _devices() -> Iterator[Check]:
    import torch

    yield Check("torch threads", "ok", str(torch.get_num_threads()))
    if not torch.cuda.is_available():
        yield Check("cuda", "ok", "no graphics card; inspections run on the processor")
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        dtype = "bfloat16" if torch.cuda.is_bf16_supported() else "no bfloat16: use --dtype float32"
        yield Check(f"cuda:{index}", "ok", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, {dtype}")


def _cache() -> Iterator[Check]:
    from reason_iad.files import write_atomic
    from reason_iad.knowledge.opening import cache_folder

    folder = cache_folder()
    probe = folder / f".doctor-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(probe, "")
        probe.unlink()
    except (OSError, ReasonIADError):
        mend = (
            "Make it writable, or set REASON_IAD_CACHE to a folder that is. Until then, each run prepares the "
            "knowledge again."
        )
        yield Check("cache folder", "note", f"{folder} cannot be written", mend)
        return
    yield Check("cache folder", "ok", str(folder))


def _models() -> Iterator[Check]:
    """Downloaded models of a family that is supported."""
    from huggingface_hub.constants import HF_HUB_CACHE

    from reason_iad.backbones.loading import FAMILIES, NANO

    found: set[str] = set()
    for config in Path(HF_HUB_CACHE).glob("models--*/snapshots/*/config.json"):
        try:
            content = json.loads(config.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and content.get("model_type") in FAMILIES:
            found.add(config.parts[-4].removeprefix("models--").replace("--", "/"))
    embedded = ["nano (from the package)"] if NANO.is_dir() else []
    yield Check("models found", "ok", ", ".join([*embedded, *sorted(found)]) or "none")


def _knowledge(path: Path | None) -> Iterator[Check]:
    from reason_iad.knowledge import open_knowledge

    store = open_knowledge(path)
    categories = store.categories()
    count = f"{len(store.entries())} entries in {len(categories)} categories"
    yield Check("knowledge", "ok", f"{path or 'from the package'}: {count}, sha256 {store.sha256()[:12]}")


def _model(model: str, device: str) -> Iterator[Check]:
    from reason_iad.backbones import load_backbone

    start = time.perf_counter()
    version = load_backbone(model, device=device).version
    seconds = time.perf_counter() - start
    detail = f"{version.name} ({version.family}), sha256 {version.sha256[:12]}, {version.dtype} on {version.device}"
    yield Check("model", "ok", f"{detail}, loaded in {seconds:.1f} s")


def _inspection(model: str, knowledge: Path | None, device: str) -> Iterator[Check]:
    """What `reason-iad inspect` does, with one step of reasoning, on an image that holds a bright spot."""
    import numpy as np

    from reason_iad.config import InspectorConfig, ReasoningConfig
    from reason_iad.inspection.inspector import Inspector

    good = np.full((64, 64, 3), 110, np.uint8)
    part = good.copy()
    part[20:30, 30:44] = 240
    config = InspectorConfig(reasoning=ReasoningConfig(steps=1), explanation_tokens=4)
    inspector = Inspector.from_pretrained(model, knowledge=knowledge, config=config, device=device)
    start = time.perf_counter()
    result = inspector.inspect(part, references=[good])
    seconds = time.perf_counter() - start
    yield Check("inspection", "ok", f"one step: {result.verdict} ({result.probability:.2f}) in {seconds:.1f} s")
