"""`python -m app.stores publish|list|use`: models as data.

Exit codes: 0; 2 there is no such version; 3 the store cannot be reached, has another model of that name, or has a damaged card among
those that are listed: it is told, and so are all the others.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from app.card import ModelCard
from app.choice import Choice, read_choice, write_choice
from app.errors import AppError, CardRefused
from app.store import read_card, read_model
from app.stores.published import PublishedStore


def publish(folder: Path, url: str, version: str) -> str:
    """Put a trained version into a published store; what was done, in a sentence."""
    card = read_card(folder, version)
    content = read_model(folder, card)
    new = PublishedStore(url).publish(card, content)
    return f"{version}: {'published' if new else 'was published already'} at {url}, {len(content)} bytes, sha256 {card.sha256}"


def listing(url: str) -> tuple[str, str]:
    """A line per version: its name, digest and accuracy, and what it is. Then a line per version whose card is damaged: why."""
    found = PublishedStore(url).listing()
    refused = "\n".join(found.refused.values())
    return "\n".join(map(_line, found.cards.values())) or ("" if refused else f"nothing is published at {url}"), refused


def _line(card: ModelCard) -> str:
    accuracy = card.metrics.get("holdout_accuracy")
    return f"{card.version:<12} {card.sha256[:12]}  {'  -  ' if accuracy is None else f'{accuracy:.3f}'}  {card.idea}"


def use(config: Path, url: str | None, version: str, folder: Path) -> str:
    """Choose a version for the next start; what was chosen, in a sentence.

    Without a URL the configuration's own store is kept; `folder` is for a configuration that does not exist yet.
    """
    store = url or (read_choice(config).store if config.exists() else str(folder))
    if "://" not in store:
        # the server may be started in another folder
        store = str(Path(store).resolve())
    card = PublishedStore(store).card(version)
    write_choice(config, Choice(store=store, version=version, sha256=card.sha256))
    return f"{config}: {version} from {store}; a restart of the service applies it"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked for and print one sentence, or the list."""
    refused = ""
    parser = argparse.ArgumentParser(prog="python -m app.stores", description="Models published as data.")
    commands = parser.add_subparsers(dest="command", required=True)
    publishing = commands.add_parser("publish", help="put a trained version into a store")
    publishing.add_argument("version")
    publishing.add_argument("--from", dest="folder", type=Path, required=True, metavar="DIR", help="the store that it was trained into")
    publishing.add_argument("--store", required=True, metavar="URL")
    showing = commands.add_parser("list", help="what a store has")
    showing.add_argument("--store", required=True, metavar="URL")
    choosing = commands.add_parser("use", help="choose what is served")
    choosing.add_argument("version")
    choosing.add_argument("--config", type=Path, required=True, metavar="FILE")
    choosing.add_argument("--store", metavar="URL")
    choosing.add_argument("--from", dest="folder", type=Path, required=True, metavar="DIR", help="the store if none was ever named")
    options = parser.parse_args(arguments)
    try:
        match options.command:
            case "publish":
                said = publish(options.folder, options.store, options.version)
            case "list":
                said, refused = listing(options.store)
            case _:
                said = use(options.config, options.store, options.version, options.folder)
    except AppError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    if said:
        print(said, flush=True)  # noqa: T201  the answer
    if refused:
        sys.stderr.write(f"{refused}\n")
        return CardRefused.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
