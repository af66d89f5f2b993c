"""Everything that can go wrong in the model API, each error one sentence: what is wrong and what to do.

AppError
├── UnknownVersion   2   training has no such recipe, or would mix two seeds in one store; a store lacks the version
├── StoreRefused     3   a store is missing, a model damaged, from other libraries, or the store cannot be reached or written
│   └── CardRefused  3   what tells of a version is damaged
├── BadConfiguration 3   a MODEL_API_ variable or the model's configuration file is missing or makes no sense
├── BadSchedule      2   a cron expression is none
├── InputRefused     3   a file of observations cannot be read, lacks a feature or changed
├── DatabaseFailed   3   the database of predictions is down, or has not what it should
├── CannotListen     3   the port is taken, or may not be used
├── InferenceRefused     a request of the Open Inference Protocol is none for this model (HTTP 400)
├── ModelNotFound        such a request is for another model or version (HTTP 404)
├── PredictionFailed     the model itself failed on an input (HTTP 500)
├── FaultInjected        the configured error ratio struck (HTTP 500)
├── LogUnwritable        the prediction log's database is away, or refuses (tried again; the requests go on)
└── ServiceFailed        the service that a page asks gives no answer
"""


class AppError(Exception):
    """What is wrong, in one sentence that a user can act on.

    Attributes:
        exit_code: what a process that ends by this error returns.
    """

    exit_code = 3


class UnknownVersion(AppError):
    """Training has no such recipe or would mix cases of two seeds in one store, or a store lacks the version."""

    exit_code = 2


class StoreRefused(AppError):
    """A model cannot be trusted or read, or the store cannot be written."""


class CardRefused(StoreRefused):
    """What tells of a version is damaged; the store's other versions are not."""


class BadConfiguration(AppError):
    """A setting is missing or makes no sense."""


class BadSchedule(AppError):
    """A cron expression makes no sense."""

    exit_code = 2


class InputRefused(AppError):
    """A file of observations cannot be read, lacks a feature, or changed while it was read."""


class DatabaseFailed(AppError):
    """The database of predictions is down, or has not what it should."""


class CannotListen(AppError):
    """The address cannot be listened on."""


class InferenceRefused(AppError):
    """A request of the Open Inference Protocol makes no sense for the model that is served."""


class ModelNotFound(AppError):
    """A request of the Open Inference Protocol is for another model or version than the one served."""


class PredictionFailed(AppError):
    """The model raised an error on an input that is valid by its card."""


class FaultInjected(AppError):
    """An error that was asked for by configuration."""


class LogUnwritable(AppError):
    """The database of the prediction log cannot be reached, or refuses what is written."""


class ServiceFailed(AppError):
    """The service that a page asks does not answer, or refuses."""
