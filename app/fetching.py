"""Copy one version out of a store: `python -m app.fetching --store URL --version V --to DIR [--sha256 HEX]`.

DIR becomes a model store with that version, which `python -m app.server` serves without the libraries, the credentials or the
network of the published one: the work of an init container. Nothing is unpickled, and nothing is written unless its digest is right.

Exit codes: 0; 2 the store has no such version; 3 the store is down, damaged, or has another model than --sha256 tells.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from app.errors import AppError
from app.loading import check_digest
from app.publishing import publish
from app.stores.published import PublishedStore


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch, and print what was fetched."""
    parser = argparse.ArgumentParser(prog="python -m app.fetching", description="Copy one version out of a published model store.")
    parser.add_argument("--store", required=True, metavar="URL", help="where it is published: a folder, file:// or s3://")
    parser.add_argument("--version", required=True, help="which version")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="the folder that becomes a store with this version")
    parser.add_argument("--sha256", metavar="HEX", help="the digest that the model must have")
    options = parser.parse_args(arguments)
    try:
        store = PublishedStore(options.store)
        card = store.card(options.version)
        check_digest(card, options.sha256)
        content = store.model(card)
        publish(options.to, card, content)
    except AppError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    print(f"{card.version}: {len(content)} bytes, sha256 {card.sha256}, in {options.to / card.version}")  # noqa: T201  for the pod's log
    return 0


if __name__ == "__main__":
    sys.exit(main())
