"""Where persons' words for a rollout on this machine are left: a file in its run's folder, one word a line."""

from pathlib import Path

from strategies.errors import StoreRefused
from strategies.steering import Command, known


class FileControl:
    """Implements `strategies.steering.Control` by a file that other labctls append to. What was there before counts for nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = self._size()

    def take(self) -> tuple[Command, ...]:
        """The whole lines since the last time; a line that is no command is passed over."""
        if self._size() <= self._read:
            return ()
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        return known(line.decode(errors="replace") for line in whole.splitlines())

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0


def leave(path: Path, command: Command) -> None:
    """Leave a word in the file `path`.

    Raises:
        StoreRefused: it cannot be written.
    """
    try:
        with path.open("a") as file:
            file.write(f"{command}\n")
    except OSError as error:
        raise StoreRefused(f"{path} cannot be written ({error.strerror}); see whose it is") from error
