"""Data to train on: built-in sets, tables read from anywhere, and their learned preparation.

A table goes three steps to a network: `read_table` reads it, `Preparation.learn` finds out what
its columns are, and ``transform_features`` and ``transform_target`` turn it into float64 arrays.
The preparation is saved with the model, and ``predict`` applies the very same one.
"""

from chainrule.data.builtin import BUILTIN_NAMES, Dataset, builtin
from chainrule.data.preparation import Preparation
from chainrule.data.reading import read_table
from chainrule.data.splitting import split
from chainrule.data.tables import Table

__all__ = [
    "BUILTIN_NAMES",
    "Dataset",
    "Preparation",
    "Table",
    "builtin",
    "read_table",
    "split",
]
