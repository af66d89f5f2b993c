"""Who may ask: the API key, pages of other origins, and a documentation that reaches nowhere else."""

import re
from pathlib import Path

import pytest

from app.errors import BadConfiguration
from app.settings import Settings
from tests.unit.app.conftest import ClientFactory
from tests.unit.app.test_api import holdout_case
from tests.unit.app.test_metrics import value

GUARDED = (("POST", "/predict"), ("GET", "/version"), ("GET", "/v2"), ("POST", "/v2/models/breast-cancer/infer"), ("GET", "/nowhere"))


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-api-key": ""}, {"x-api-key": "key"}, {"x-api-key": "key-1"}, {"authorization": "Basic key-2"}, {"authorization": "Bearer"}],
)
def test_without_the_key_everything_but_probes_and_the_documentation_is_401(client: ClientFactory, headers: dict[str, str]) -> None:
    one = client(api_key="key-2")

    for method, path in GUARDED:
        answer = one.request(method, path, headers=headers)
        assert answer.status_code == 401, path
        assert "x-api-key" in answer.json()["detail"] == answer.json()["error"]
        assert answer.headers["x-served-by"] == "v2"
    for path in ("/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json"):
        assert one.get(path, headers=headers).status_code == 200
    assert value(one, "model_api_requests_total", code="401") == len(GUARDED)


@pytest.mark.parametrize("headers", [{"x-api-key": "key-2"}, {"authorization": "Bearer key-2"}, {"authorization": "bearer  key-2"}])
def test_the_key_is_taken_in_both_ways(client: ClientFactory, headers: dict[str, str]) -> None:
    assert client(api_key="key-2").post("/predict", json=holdout_case(0), headers=headers).status_code == 200


def test_the_documentation_asks_for_the_key_only_where_there_is_one(client: ClientFactory) -> None:
    assert "securitySchemes" not in client().get("/openapi.json").json().get("components", {})
    assert client(api_key="key-2").get("/openapi.json").json()["security"] == [{"key": []}]


def test_pages_of_other_origins_are_closed_out_unless_they_are_named(client: ClientFactory) -> None:
    origin = {"origin": "https://page.example"}
    asked = {**origin, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    named = client(api_key="key-2", origins=["https://page.example"])

    assert "access-control-allow-origin" not in client().get("/version", headers=origin).headers
    assert named.request("OPTIONS", "/predict", headers=asked).headers["access-control-allow-origin"] == "https://page.example"
    assert named.request("OPTIONS", "/predict", headers={**asked, "origin": "https://other.example"}).status_code == 400
    answer = named.get("/version", headers={**origin, "x-api-key": "key-2"})
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
    assert "x-served-by" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origins", ["*", "page.example", "https://page.example/", "https://a.example, https://b.example"])
def test_what_is_no_list_of_origins_is_refused(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    for name, setting in {"STORE": "models", "VERSION": "v1", "CORS_ORIGINS": origins}.items():
        monkeypatch.setenv(f"MODEL_API_{name}", setting)

    with pytest.raises(BadConfiguration, match="MODEL_API_CORS_ORIGINS"):
        Settings.from_environment()


def test_secrets_are_not_shown_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, setting in {"STORE": "models", "VERSION": "v1", "API_KEY": "hush-1", "DATABASE": "postgresql://u:hush-2@h/d"}.items():
        monkeypatch.setenv(f"MODEL_API_{name}", setting)

    assert "hush" not in repr(Settings.from_environment())


def test_the_documentation_and_all_that_it_loads_come_from_here(client: ClientFactory) -> None:
    one = client()
    page = one.get("/docs")

    loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text)
    assert len(loaded) == 3
    assert "://" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    for path in loaded:
        answer = one.get(path)
        assert answer.status_code == 200
        assert len(answer.content) > 1000
    example = one.get("/openapi.json").json()["paths"]["/v2/models/{name}/infer"]["post"]["requestBody"]["content"]["application/json"][
        "example"
    ]
    assert one.post("/v2/models/breast-cancer/infer", json=example).status_code == 200


def test_configuration_file_wins_and_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "model.toml"
    for name, setting in {"STORE": "elsewhere", "VERSION": "v1", "CONFIG": str(config)}.items():
        monkeypatch.setenv(f"MODEL_API_{name}", setting)
    config.write_text('store = "s3://models"\nversion = "v2"\n')
    assert (Settings.from_environment().store, Settings.from_environment().version) == ("s3://models", "v2")

    for content, said in (
        ("store = ", "is no TOML"),
        ('store = "a"\n', "version: Field required"),
        ('sha256 = "x"', "sha256"),
        ("\xff", "TOML"),
    ):
        config.write_bytes(content.encode("latin-1"))
        with pytest.raises(BadConfiguration, match=said) as refused:
            Settings.from_environment()
        assert "labctl model use" in str(refused.value)
    config.unlink()
    with pytest.raises(BadConfiguration, match="cannot be read"):
        Settings.from_environment()
