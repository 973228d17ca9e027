"""Knowledge anyone can write, found again under a budget of tokens, cited by id.

Text and vectors only: nothing here knows a model. LanceDB is imported when a store is first opened.
"""

from reason_iad.knowledge.document import Document, KnowledgeFileError, Problem
from reason_iad.knowledge.files import read_document, read_documents, scan
from reason_iad.knowledge.gallery import Gallery
from reason_iad.knowledge.mmad import import_mmad
from reason_iad.knowledge.naming import names_category, rank_categories
from reason_iad.knowledge.opening import open_knowledge
from reason_iad.knowledge.retrieval import resolve_category, retrieve
from reason_iad.knowledge.store import KnowledgeStore
from reason_iad.knowledge.text import sanitize

__all__ = [
    "Document",
    "Gallery",
    "KnowledgeFileError",
    "KnowledgeStore",
    "Problem",
    "import_mmad",
    "names_category",
    "open_knowledge",
    "rank_categories",
    "read_document",
    "read_documents",
    "resolve_category",
    "retrieve",
    "sanitize",
    "scan",
]
