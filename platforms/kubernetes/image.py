"""The model API's image: built on this machine, named by its content, so that the same code is never built or loaded twice."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from platforms.kubernetes.tools import Tools

REPOSITORY = "model-api"
LABEL = "lab.part=model-api"
BUILD_SECONDS = 1800.0
"""The first build downloads some 100 MB of packages."""


def tag(project: Path, base: str) -> str:
    """The tag of an image that is built now: a digest of all that goes into it (`base` is the image it is built on)."""
    digest = hashlib.sha256(base.encode())
    for path in _content(project):
        digest.update(f"\0{path.relative_to(project).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def build(tools: Tools, project: Path, base: str) -> str:
    """The name of the image; it is built if the local engine does not have it.

    Raises:
        ToolFailed: docker does not run, or the build failed.
    """
    name = f"{REPOSITORY}:{tag(project, base)}"
    if present(tools, name):
        return name
    tools.say(f"building the image {name} (some minutes the first time)")
    base_image = ("--build-arg", f"BASE_IMAGE={base}") if base else ()
    tools.run(
        *("docker", "build", "--quiet", *base_image, "--tag", name, "--file", str(project / "app" / "Dockerfile"), str(project)),
        timeout=BUILD_SECONDS,
        # an attestation makes an image of several parts, which `kind load` cannot always take apart
        environment={"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
    )
    return name


def present(tools: Tools, name: str) -> bool:
    """Whether the local engine has the image."""
    return tools.succeeds("docker", "image", "inspect", name)


def remove_all(tools: Tools) -> None:
    """Remove what was built here from the local engine; the build's cache stays, which makes the next one quick."""
    built = tools.run("docker", "image", "ls", "--quiet", "--filter", f"label={LABEL}", timeout=60.0).split()
    if built:
        tools.run("docker", "image", "rm", "--force", *sorted(set(built)), timeout=120.0)


def _content(project: Path) -> Iterator[Path]:
    yield project / ".dockerignore"
    for path in sorted((project / "app").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
