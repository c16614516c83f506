"""The exceptions chainrule raises, as one tree.

```
ChainruleError                      anything chainrule refuses
├── TraceError                      a NumPy program cannot become a graph
│   ├── UnsupportedError            a function, method or form that is not traced
│   └── LeakError                   a traced value would leave the trace
├── GraphError                      a graph was given values it was not made for
│   └── GuardError                  a branch or a shape depends on the values, and they changed
├── GradientError                   a derivative was asked for that does not exist
├── SettingError                    an option has a value it cannot take
├── DataError                       a table, a file or an array cannot be trained on
├── ModelFileError                  a saved model or checkpoint cannot be read
└── TrainingError                   training cannot go on
    └── DivergedError               a value stopped being finite
```

Every message is complete sentences: what is wrong, where (the user's file and line, or the
data's file, column and row), the shapes or values, and what to do.
"""

__all__ = [
    "ChainruleError",
    "DataError",
    "DivergedError",
    "GradientError",
    "GraphError",
    "GuardError",
    "LeakError",
    "ModelFileError",
    "SettingError",
    "TraceError",
    "TrainingError",
    "UnsupportedError",
]


class ChainruleError(Exception):
    """Anything chainrule refuses; its text is one message for a person.

    >>> str(ChainruleError("The file is empty."))
    'The file is empty.'
    """


class TraceError(ChainruleError, TypeError):
    """A NumPy program cannot become a graph."""


class UnsupportedError(TraceError):
    """A function, method or form that is not traced was met; the message says what to use."""


class LeakError(TraceError):
    """A traced value would leave the trace and cut a gradient, as in ``float(x)``."""


class GraphError(ChainruleError, ValueError):
    """A graph was given values it was not made for: another number, shape or dtype."""


class GuardError(GraphError):
    """A branch or a shape in the traced program depends on values, and these chose another."""


class GradientError(ChainruleError, ValueError):
    """A derivative was asked for that does not exist: of an array, or by an integer."""


class SettingError(ChainruleError, ValueError):
    """An option or argument has a value that it cannot take; the message lists what it can."""


class DataError(ChainruleError, ValueError):
    """A table, a file or an array cannot be trained on; names the file, column and first row."""


class ModelFileError(ChainruleError, ValueError):
    """A saved model or checkpoint is missing, truncated, foreign, or newer than this version."""


class TrainingError(ChainruleError, RuntimeError):
    """Training cannot start or go on."""


class DivergedError(TrainingError):
    """A value stopped being finite; names the epoch, the layer and the value."""
