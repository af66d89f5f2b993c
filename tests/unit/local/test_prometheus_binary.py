"""A Prometheus is found where it is, and installed by each way where it is not; a bad one is never kept."""

import functools
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from platforms.local import prometheus_binary
from platforms.local.prometheus_binary import RELEASE, from_homebrew, from_package, from_release, this_system
from strategies.errors import CouldNotRun, ToolFailed

PROJECT = Path(prometheus_binary.__file__).parents[2]
NOBODY = 65534
FAKE = "#!/bin/sh\necho 'prometheus, version {version} (branch: HEAD)'\n"


def script(path: Path, text: str) -> Path:
    """A program that a shell runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on a machine without any program on PATH."""
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path / "cache"


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_CACHE", "/one")
    monkeypatch.setenv("XDG_CACHE_HOME", "/two")
    monkeypatch.setenv("HOME", "/three")
    assert prometheus_binary.cache_dir() == Path("/one")

    monkeypatch.delenv("LAB_CACHE")
    assert prometheus_binary.cache_dir() == Path("/two/labctl")

    monkeypatch.delenv("XDG_CACHE_HOME")
    assert prometheus_binary.cache_dir() == Path("/three/.cache/labctl")


def test_none_is_found_on_a_bare_machine(cache: Path) -> None:
    assert prometheus_binary.find() is None
    assert not cache.exists()


def test_the_one_on_path_comes_before_the_cache(cache: Path, tmp_path: Path) -> None:
    kept = script(cache / "bin/prometheus", FAKE.format(version="3.5.1"))
    assert prometheus_binary.find() == kept

    on_path = script(tmp_path / "path/prometheus", FAKE.format(version="2.42.0+ds"))
    assert prometheus_binary.find() == on_path
    assert prometheus_binary.version(on_path) == "2.42.0+ds"


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\necho 'prometheus, a static analyser'\n",
        FAKE.format(version="2.42.0") + "exit 1\n",
        "#!/no/such/shell\n",
        "\x7fELF of another machine",
    ],
    ids=["another program", "a failing one", "no interpreter", "another machine's"],
)
def test_what_does_not_run_as_prometheus_is_passed_over(cache: Path, tmp_path: Path, text: str) -> None:
    script(tmp_path / "path/prometheus", text)

    assert prometheus_binary.find() is None


def test_nothing_is_installed_where_one_is_found(cache: Path, tmp_path: Path) -> None:
    on_path = script(tmp_path / "path/prometheus", FAKE.format(version="3.1.0"))
    said: list[str] = []

    assert prometheus_binary.install(said.append) == on_path
    assert said == []
    assert not cache.exists()


@pytest.mark.skipif(not shutil.which("apt-get"), reason="apt-get is not on this machine")
def test_the_package_is_unpacked(tmp_path: Path) -> None:
    """For real, by whoever runs this."""
    binary = from_package(tmp_path)
    found = prometheus_binary.version(binary)
    assert binary.with_name("promtool").is_file()

    assert found is not None
    assert found[0].isdigit()


@pytest.mark.skipif(not shutil.which("apt-get"), reason="apt-get is not on this machine")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user; the test before this one ran as an ordinary user")
def test_an_ordinary_user_can_unpack_the_package() -> None:
    """The interpreter's own folder may be closed to that user, so the process becomes the user after its imports."""
    code = f"""
import os, pathlib
from platforms.local import prometheus_binary
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
print(prometheus_binary.version(prometheus_binary.from_package(pathlib.Path.cwd())))
"""
    with tempfile.TemporaryDirectory() as folder:  # the test's own folder is closed to other users
        os.chown(folder, NOBODY, NOBODY)
        environment = os.environ | {"HOME": folder, "PYTHONPATH": str(PROJECT)}
        run = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False)

    assert run.stderr == ""
    assert run.stdout[0].isdigit()


def test_a_failing_apt_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "path/apt-get", "#!/bin/sh\necho 'E: Unable to locate package prometheus' >&2\nexit 100\n")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))

    with pytest.raises(ToolFailed, match=r"E: Unable to locate package prometheus.*apt-get .* download prometheus"):
        from_package(tmp_path)


def test_homebrew_is_linked_and_starts_no_service(cache: Path, tmp_path: Path) -> None:
    """The link is kept, so that the next start finds it; brew was asked for an installation and a prefix, nothing else."""
    asked = tmp_path / "asked"
    prefix = tmp_path / "homebrew/opt/prometheus"
    installed = script(prefix / "bin/prometheus", FAKE.format(version="3.7.2"))
    script(tmp_path / "path/brew", f'#!/bin/sh\necho "$*" >> "{asked}"\n[ "$1" = install ] || echo "{prefix}"\n')

    kept = prometheus_binary.install(lambda line: None, {"Homebrew": from_homebrew})

    assert kept == cache / "bin/prometheus"
    assert kept.readlink() == installed
    assert asked.read_text(encoding="utf-8").splitlines() == ["install prometheus", "--prefix prometheus"]
    assert prometheus_binary.find() == kept

    installed.unlink()
    assert prometheus_binary.find() is None


class Releases:
    """The project's downloads, on this machine: one release whose program is `program`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self._folder = folder / f"v{RELEASE}"
        self._folder.mkdir()

    def publish(self, system: str, program: str, member: str = "prometheus", digest: str | None = None) -> str:
        """Put the archive for `system` there, listed with its digest (or another one); returns the archive's own."""
        name = f"prometheus-{RELEASE}.{system}"
        content = program.encode()
        with tarfile.open(self._folder / f"{name}.tar.gz", "w:gz") as tar:
            entry = tarfile.TarInfo(f"{name}/{member}")
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        own = hashlib.sha256((self._folder / f"{name}.tar.gz").read_bytes()).hexdigest()
        with (self._folder / "sha256sums.txt").open("a", encoding="utf-8") as sums:
            sums.write(f"{'0' * 64}  prometheus-{RELEASE}.plan9-mips.tar.gz\n{digest or own}  {name}.tar.gz\n")
        return own


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    """A real HTTP server, reached whatever proxy the machine is set to."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "downloads"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Releases(folder, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


def test_a_release_is_unpacked(releases: Releases, tmp_path: Path) -> None:
    releases.publish("linux-arm64", FAKE.format(version=RELEASE))

    assert prometheus_binary.version(from_release(tmp_path, "linux-arm64", releases.url)) == RELEASE


def test_a_damaged_release_is_refused(releases: Releases, tmp_path: Path) -> None:
    own = releases.publish("linux-amd64", FAKE.format(version=RELEASE), digest="a" * 64)

    with pytest.raises(CouldNotRun, match=f"has the sha256 {own} instead of {'a' * 64}, so it is not used"):
        from_release(tmp_path, "linux-amd64", releases.url)
    assert not (tmp_path / "prometheus").exists()


def test_a_replaced_release_is_refused_where_its_digest_is_known(releases: Releases, tmp_path: Path) -> None:
    """Even if its own list of digests was replaced with it."""
    releases.publish("darwin-arm64", FAKE.format(version=RELEASE))

    with pytest.raises(CouldNotRun, match=f"instead of {prometheus_binary.DIGESTS['darwin-arm64']}"):
        from_release(tmp_path, "darwin-arm64", releases.url)


def test_a_release_without_the_program_is_refused(releases: Releases, tmp_path: Path) -> None:
    releases.publish("linux-amd64", "", member="README.md")

    with pytest.raises(CouldNotRun, match="holds no program"):
        from_release(tmp_path, "linux-amd64", releases.url)


def test_a_release_that_is_not_there_is_named(releases: Releases, tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match=r"linux-amd64\.tar\.gz could not be downloaded \(.*404"):
        from_release(tmp_path, "linux-amd64", releases.url)
    releases.publish("linux-arm64", "")
    with pytest.raises(CouldNotRun, match=rf"sha256sums\.txt does not list prometheus-{RELEASE}\.linux-amd64"):
        from_release(tmp_path, "linux-amd64", releases.url)


def test_a_system_without_a_release_is_named(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match="no release is known for plan9-mips"):
        from_release(tmp_path, "plan9-mips")


@pytest.mark.skipif(this_system() not in prometheus_binary.DIGESTS, reason="the lab is not tried on this system")
def test_this_system_is_named_as_the_project_names_it() -> None:
    assert this_system() in {"linux-amd64", "linux-arm64", "darwin-arm64"}


def broken(work: Path) -> Path:
    """A way that ends with a program which does not run here."""
    return script(work / "prometheus", "#!/no/such/shell\n")


def test_when_every_way_fails_the_sentence_says_how_each_ended(cache: Path, releases: Releases) -> None:
    """Nothing is left in the cache."""
    said: list[str] = []
    ways: dict[str, Callable[[Path], Path]] = {
        "the package": from_package,
        "Homebrew": from_homebrew,
        "a broken build": broken,
        "the release": partial(from_release, system="linux-amd64", downloads=releases.url),
    }

    with pytest.raises(CouldNotRun) as refusal:
        prometheus_binary.install(said.append, ways)

    sentence = str(refusal.value)
    assert "install it so that `prometheus --version` runs" in sentence
    assert "the package: apt-get is not on this machine; Homebrew: brew is not on this machine" in sentence
    assert "a broken build: what it gave does not run on this machine; the release: http://127.0.0.1:" in sentence
    assert [line.removeprefix("installing Prometheus from ") for line in said] == list(ways)
    assert not list((cache / "bin").iterdir())
    assert [path.name for path in cache.iterdir()] == ["bin"]


def test_the_next_way_is_tried(cache: Path, releases: Releases) -> None:
    releases.publish("linux-amd64", FAKE.format(version=RELEASE))
    release = partial(from_release, system="linux-amd64", downloads=releases.url)

    kept = prometheus_binary.install(lambda line: None, {"a broken build": broken, "the release": release})

    assert kept == prometheus_binary.find() == cache / "bin/prometheus"
    assert prometheus_binary.version(kept) == RELEASE


def test_a_cache_that_cannot_be_written_is_named(cache: Path) -> None:
    cache.write_text("a file", encoding="utf-8")

    with pytest.raises(CouldNotRun, match="name another folder in LAB_CACHE"):
        prometheus_binary.install(lambda line: None)


def test_promtool_is_kept_where_it_came_along_and_else_done_without(cache: Path, tmp_path: Path) -> None:
    def with_it(work: Path) -> Path:
        script(work / "promtool", FAKE.format(version="3.5.1"))
        return without(work)

    def without(work: Path) -> Path:
        return script(work / "prometheus", FAKE.format(version="3.5.1"))

    prometheus_binary.install(lambda _: None, {"one": without})
    assert prometheus_binary.find_promtool() is None
    (cache / "bin/prometheus").unlink()
    prometheus_binary.install(lambda _: None, {"one": with_it})
    assert prometheus_binary.find_promtool() == cache / "bin/promtool"


def test_installations_at_the_same_time_never_show_half_a_program(cache: Path, releases: Releases) -> None:
    """Whoever looks while others install finds none or a whole one."""
    # large enough that writing it takes a while
    releases.publish("linux-amd64", FAKE.format(version=RELEASE) + "exit 0\n" + "#" * 5_000_000)
    # processes, as a thread's fork would hold what another thread writes, and no program runs that is open for writing
    program = (
        "from functools import partial\n"
        "from platforms.local.prometheus_binary import from_release, install\n"
        f"print(install(lambda line: None, {{'the release': partial(from_release, system='linux-amd64', downloads={releases.url!r})}}))\n"
    )
    installing = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    kept = cache / "bin/prometheus"
    try:
        while any(process.poll() is None for process in installing):
            assert not kept.exists() or prometheus_binary.version(kept) == RELEASE
    finally:
        said = [process.communicate(timeout=60)[0] for process in installing]

    assert [line.strip() for line in said] == [str(kept)] * 4
    assert prometheus_binary.version(kept) == RELEASE
