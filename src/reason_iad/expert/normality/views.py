"""Several views, sizes or variants of a part in one product: found in its good images [ours].

What is usual differs from view to view. If a part is judged by what is usual of all of them, defects of the view in
which good parts are most alike are missed. So what is usual is measured for each view on its own images.
"""

from __future__ import annotations

import torch

APART = 1.6
"""Views are so many times as far apart as the two images of one view that hang together the least."""
LEAST = 20
"""Good images of a view that are needed to say what is usual of it."""
MOST = 8
"""Views that are told apart, at most."""


def find_views(images: torch.Tensor) -> torch.Tensor:
    """(n,) int64, the number of the view that each good image shows; all 0 where no views can be told apart.

    Views are numbered in the order of their first images.

    Images hang together by their nearest neighbours (single linkage). Where the distance that has to be bridged
    grows most from one step to the next, views part.

    Args:
        images: (n, c) embeddings of good images, standardised.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    one = torch.zeros(len(images), dtype=torch.int64)
    if len(images) < 2 * LEAST:
        return one
    tree = linkage(images.double().numpy(), "single")
    bridged = tree[-MOST:, 2]
    growth = bridged[1:] / bridged[:-1].clip(1e-9)
    at = int(growth.argmax())
    if growth[at] < APART:
        return one
    found: list[int] = fcluster(tree, bridged[at], "distance").tolist()
    numbers = {name: number for number, name in enumerate(dict.fromkeys(found))}
    views = torch.tensor([numbers[name] for name in found])
    return views if int(views.bincount().min()) >= LEAST else one
