"""Everything that can go wrong in the model API, each error one sentence: what is wrong and what to do.

AppError
├── UnknownVersion   2   training was asked for a version that it has no recipe for, or for two seeds in one store
├── StoreRefused     3   a model is missing, damaged, from other libraries, or the store cannot be written
├── BadConfiguration 3   a MODEL_API_ variable is missing or out of range
├── CannotListen     3   the port is taken, or may not be used
├── PredictionFailed     the model itself failed on an input (HTTP 500)
├── LogUnwritable        the prediction log's database is away, or refuses (tried again; the requests go on)
└── FaultInjected        the configured error ratio struck (HTTP 500)
"""


class AppError(Exception):
    """What is wrong, in one sentence that a user can act on.

    Attributes:
        exit_code: what a process that ends by this error returns.
    """

    exit_code = 3


class UnknownVersion(AppError):
    """Training has no such recipe, or would mix cases of two seeds in one store."""

    exit_code = 2


class StoreRefused(AppError):
    """A model cannot be trusted or read, or the store cannot be written."""


class BadConfiguration(AppError):
    """A setting is missing or makes no sense."""


class CannotListen(AppError):
    """The address cannot be listened on."""


class PredictionFailed(AppError):
    """The model raised an error on an input that is valid by its card."""


class FaultInjected(AppError):
    """An error that was asked for by configuration."""


class LogUnwritable(AppError):
    """The database of the prediction log cannot be reached, or refuses what is written."""
