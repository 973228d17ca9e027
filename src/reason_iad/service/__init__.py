"""The service: parts come in over HTTP or from sources, workers inspect them, people see and correct the outcome.

    reason-iad serve --data DIR

Its rooms, each of which stands on those before it: `database/` (tables, the queue, lists and counts), `keeping/`
(pictures, deletion, backups), `sinks/` and `sources/`, `reviews/` (what people say, and what a product learns of
it), `work/` (the processes that inspect), `api/` (HTTP) and `pages/` (what browsers show).

Everything that has to survive is in the data folder: the database, the pictures and the products. Verdicts come
from `products` and `inspection`; the service adds none of its own. Nothing imports this room but its commands.
"""
