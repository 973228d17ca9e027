"""The service: parts come in over HTTP or from sources, workers inspect them, people see and correct the outcome.

    reason-iad serve --data DIR

Everything that has to survive is in the data folder: the database, the pictures and the products. Verdicts come
from `products` and `inspection`; the service adds none of its own. Nothing imports this room but its commands.
"""
