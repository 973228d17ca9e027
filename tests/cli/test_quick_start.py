"""The command line starts without what only training and several GPUs need, and says the same."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from reason_iad.cli.demo import PARTS
from reason_iad.knowledge import open_knowledge

UNUSED = ("torch.distributed.tensor", "scipy.optimize", "scipy.ndimage", "lancedb", "matplotlib", "pandas")
CODE = """
import json, os, sys
quick, part, good, *unused = sys.argv[1:]
read = []
models = os.path.join("transformers", "models")
def watch(event, about):
    if event == "os.scandir" and str(about[0]).endswith(models):
        read.append(event)
sys.addaudithook(watch)
if quick == "quick":
    from reason_iad.cli.quick_start import quick_start
    quick_start()
from reason_iad import Inspector
result = Inspector.from_pretrained("nano").inspect(part, references=[good], category="metal surface")
loaded = [name for name in unused if name in sys.modules]
seen = [result.verdict, result.probability, result.defect_type, result.explanation]
import torch._dynamo
real = torch._dynamo.config.__name__
known = sorted(sys.modules["transformers.models"]._class_to_module.items())
print(json.dumps({"loaded": loaded, "seen": seen, "compiling": torch._dynamo.is_compiling(), "real": real,
    "known": known, "read": len(read)}))
"""


def inspect(how: str) -> dict[str, object]:
    pictures = [str(PARTS / f"01-brushed-metal-plate{end}.png") for end in ("", "-good")]
    run = subprocess.run(
        [sys.executable, "-c", CODE, how, *pictures, *UNUSED], capture_output=True, text=True, check=True
    )
    return dict(json.loads(run.stdout))


@pytest.mark.slow
def test_the_same_result_without_what_is_not_used() -> None:
    open_knowledge(None)  # built on first use, which takes LanceDB
    quick, usual = inspect("quick"), inspect("usual")
    assert quick["loaded"] == []
    assert quick["seen"] == usual["seen"]
    assert quick["known"] == usual["known"] != [] and quick["read"] == 1, "the sources of the models are read once"
    assert quick["compiling"] is usual["compiling"] is False
    assert quick["real"] == usual["real"] == "torch._dynamo.config", "whoever asks for the compiler gets it"
