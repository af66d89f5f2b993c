"""The prediction log of a cluster: a PostgreSQL that replicas write to from inside and witnesses read from outside."""

import base64

from platforms.kubernetes.client import Cluster
from platforms.kubernetes.settings import KubernetesSettings

SECRET = "lab-database"
KEY = "url"
READER_KEY = "readerUrl"
"""The same for a user who may only read."""
PASSWORD_KEY = "password"
NAME = "lab"
"""Of the database and of its user."""


def values() -> dict[str, dict[str, str]]:
    """What a slot's release must know of it: where the URL is kept, and never the URL, which has a password.

    Batches write their predictions into the same database, which replicas show at /predictions.
    """
    return {"predictionLog": {"secret": SECRET, "key": KEY}, "predictions": {"secret": SECRET, "key": READER_KEY}}


def url(cluster: Cluster, settings: KubernetesSettings) -> str:
    """Where it is read from this machine, password included; empty if it cannot be reached from here.

    Raises:
        ToolFailed: the cluster does not answer, or does not show the password.
    """
    if not settings.database:
        return ""
    found = cluster.get(f"/api/v1/namespaces/{settings.namespace}/secrets/{SECRET}")
    if found is None:
        return ""
    password = base64.b64decode(found["data"][PASSWORD_KEY]).decode()
    return f"postgresql://{NAME}:{password}@{settings.database}/{NAME}"
