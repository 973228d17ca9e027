"""What is printed about runs: the same tables as Markdown, as one HTML page, as CSV and as JSON.

`summary.py` computes, `tables.py` and `facts.py` say what stands where, and one module per format lays it out.
The same folders give the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reason_iad.bench.report.summary import Summary


def render(summaries: Sequence[Summary], format: str, *, published: bool | None = None) -> str:
    """The report of some runs as text.

    Args:
        summaries: at least one; see `summary.load`.
        format: 'md', 'html', 'csv' or 'json'.
        published: set published figures of MMAD beside them; None: if they are on MMAD's images.
    """
    if format == "md":
        from reason_iad.bench.report.markdown import render_markdown

        return render_markdown(summaries, published=published)
    if format == "html":
        from reason_iad.bench.report.page import render_page

        return render_page(summaries, published=published)
    from reason_iad.bench.report.data import render_csv, render_json

    return render_csv(summaries) if format == "csv" else render_json(summaries, published=published)
