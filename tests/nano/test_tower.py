"""The batched tower is the class's own tower, and its patches are the image processor's."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from reason_iad_nano.package import preprocessor_config
from reason_iad_nano.tower import encode, patchify


def pictures(count=3, size=112):
    return np.random.default_rng(0).integers(0, 255, (count, size, size, 3), dtype=np.uint8)


def test_patches_are_the_image_processors(tmp_path):
    import json

    from transformers import AutoImageProcessor

    (tmp_path / "preprocessor_config.json").write_text(json.dumps(preprocessor_config(112)))
    processor = AutoImageProcessor.from_pretrained(tmp_path)
    images = pictures()
    theirs = processor(images=[Image.fromarray(image) for image in images], return_tensors="pt")
    frames = theirs["pixel_values"].view(3, 64, 3, 2, 196)
    assert theirs["image_grid_thw"].tolist() == [[1, 8, 8]] * 3
    for frame in (0, 1):
        torch.testing.assert_close(frames[:, :, :, frame].flatten(2), patchify(torch.from_numpy(images)))


def test_tokens_are_the_classes_own(model):
    images = torch.from_numpy(pictures())
    patches = patchify(images).view(3 * 64, 3, 1, 196).expand(-1, -1, 2, -1).flatten(1)
    with torch.no_grad():
        expected = model.model.visual(patches, torch.tensor([[1, 8, 8]] * 3)).pooler_output
        torch.testing.assert_close(encode(model.model.visual, images).flatten(0, 1), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="needs a C++ compiler")
def test_compiled_layers_give_the_same_tokens_and_gradients(model):
    images, parameters = torch.from_numpy(pictures()), list(model.model.visual.parameters())
    plain, compiled = (encode(model.model.visual, images, compile_layers=c) for c in (False, True))
    torch.testing.assert_close(plain, compiled, atol=1e-5, rtol=1e-4)
    slopes = [torch.autograd.grad(t.pow(2).mean(), parameters, allow_unused=True) for t in (plain, compiled)]
    for one, other in zip(*slopes, strict=True):
        if one is None:
            assert other is None
        else:
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)
