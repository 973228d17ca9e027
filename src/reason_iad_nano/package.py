"""Write a model directory in the hub's layout: what `Inspector.from_pretrained(DIR)` and `AutoTokenizer` read."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reason_iad.errors import OutputError
from reason_iad_nano.architecture import MERGE, PATCH, TEMPORAL

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration


def preprocessor_config(size: int) -> dict[str, Any]:
    """How the hub's image processor makes patches.

    Args:
        size: pixels each way that validation used; every image is shown with about as many as size x size.
    """
    from reason_iad_nano.tower import MEAN, STD

    least, most = size**2, size * (size + 1)  # it rounds down: leave a little room
    return {
        "image_processor_type": "Qwen2VLImageProcessor",
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": list(MEAN),
        "image_std": list(STD),
        "merge_size": MERGE,
        "min_pixels": least,
        "max_pixels": most,
        "size": {"shortest_edge": least, "longest_edge": most},
        "patch_size": PATCH,
        "temporal_patch_size": TEMPORAL,
        "resample": 3,
        "rescale_factor": 1 / 255,
    }


def package_model(
    model: Qwen2_5_VLForConditionalGeneration,
    tokenizer: Path,
    out: Path,
    size: int,
    card: str | None = None,
) -> Path:
    """Write the directory beside its name and put it in place in one step.

    Args:
        model: trained weights.
        tokenizer: folder of the tokenizer.
        out: the directory to write; an older one is replaced, its card is kept if none is given.
        size: pixels each way of the images it is shown.
        card: the model card.

    Raises:
        OutputError: it cannot be written.
    """
    import torch

    draft = Path(tempfile.mkdtemp(dir=_parent(out), prefix=".draft-"))
    try:
        old_card = out / "README.md"
        text = card if card is not None else old_card.read_text(encoding="utf-8") if old_card.exists() else ""
        hub: Any = model.config
        model.generation_config.eos_token_id = hub.text_config.eos_token_id
        model.generation_config.pad_token_id = hub.text_config.pad_token_id
        model.generation_config.do_sample = False
        half: Any = type(model)(hub)
        half.load_state_dict(model.state_dict())
        half.generation_config = model.generation_config
        half.to(torch.bfloat16).save_pretrained(draft)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(tokenizer / name, draft / name)
        (draft / "preprocessor_config.json").write_text(json.dumps(preprocessor_config(size), indent=2) + "\n")
        if text:
            (draft / "README.md").write_text(text, encoding="utf-8")
        draft.chmod(0o755)
        for file in draft.iterdir():
            file.chmod(0o644)
        shutil.rmtree(out, ignore_errors=True)
        draft.replace(out)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise OutputError(f"The model cannot be written to '{out}': {error.strerror}.") from error
    return out


def _parent(out: Path) -> Path:
    """The folder that will hold `out`, made if needed."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder '{out.parent}' cannot be made: {error.strerror}.") from error
    return out.parent
