"""tunekit.yaml: where it is looked for, profiles, variables of the environment, defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tunekit.errors import SpecError
from tunekit.spec import Project, check_profile, load_experiments, load_project
from tunekit.spec.project import BUILT_IN_KINDS

SECRET = "s3cr3t-value"


def load(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> Project:
    (tmp_path / "tunekit.yaml").write_text(text)
    return load_project(tmp_path, environ=environ or {})


def told(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text, environ)
    return [str(problem) for problem in caught.value.problems]


def test_without_a_file_the_start_is_the_root(tmp_path: Path) -> None:
    project = load_project(tmp_path, environ={})
    assert (project.root, project.where) == (tmp_path, None)
    assert project.registry == tmp_path / ".tunekit" / "registry.db"
    assert {name: p.kind for name, p in project.profiles.items()} == {
        "local": "local",
        "vertex": "vertex",
        "gemini-api": "gemini-api",
    }


def test_the_file_is_found_from_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "tunekit.yaml").write_text("registry: state/r.db\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    project = load_project(below, environ={})
    assert (project.root, project.where) == (tmp_path, tmp_path / "tunekit.yaml")
    assert project.registry == tmp_path / "state" / "r.db"


def test_problems_show_the_file_as_seen_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "tunekit.yaml").write_text("registry: 1\n")
    (tmp_path / "a").mkdir()
    with pytest.raises(SpecError, match=r"^\.\./tunekit\.yaml:1:1: registry is the number 1; "):
        load_project(tmp_path / "a", environ={})


def test_a_named_folder_is_the_root_with_or_without_a_file(tmp_path: Path) -> None:
    (tmp_path / "tunekit.yaml").write_text("registry: 1\n")
    (tmp_path / "other").mkdir()
    project = load_project(tmp_path, environ={}, project_dir=Path("other"))
    assert (project.root, project.where) == (tmp_path / "other", None)
    with pytest.raises(SpecError, match="nope: no such folder"):
        load_project(tmp_path, environ={}, project_dir=Path("nope"))


def test_profiles_carry_their_options(tmp_path: Path) -> None:
    project = load(
        tmp_path,
        """\
providers:
  local: {max_concurrent_jobs: 2}
  prod: {kind: vertex, project: p, location: us-central1, bucket: gs://b}
  own: {kind: acme, endpoint: http://localhost, options: {tier: gold}}
defaults: {provider: prod, base_model: gemini-3.5-flash}
""",
    )
    assert project.profiles["local"].options == {"max_concurrent_jobs": 2}
    assert project.profiles["prod"].kind == "vertex"
    assert project.profiles["prod"].options["bucket"] == "gs://b"
    assert project.profiles["own"].options == {"endpoint": "http://localhost", "tier": "gold"}
    assert project.defaults == {"provider": "prod", "base_model": "gemini-3.5-flash"}
    assert "gemini-api" in project.profiles


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing yet\n").defaults == {}


def test_variables_of_the_environment_are_filled_in(tmp_path: Path) -> None:
    text = "providers: {vertex: {project: '${env:P}', bucket: 'gs://${env:P}-${env:B}'}}\n"
    options = load(tmp_path, text, {"P": "p", "B": "b"}).profiles["vertex"].options
    assert options == {"project": "p", "bucket": "gs://p-b"}


def test_an_unset_variable_is_named(tmp_path: Path) -> None:
    text = "registry: ${env:R}/${env:S}.db\n"
    assert told(tmp_path, text, {"S": "x"}) == [
        "tunekit.yaml:1:1: the variable R is not set; set R, or write the value"
    ]


def test_a_value_is_filled_in_once_only(tmp_path: Path) -> None:
    project = load(tmp_path, "registry: ${env:A}\n", {"A": "${env:B}", "B": "no"})
    assert project.registry.name == "${env:B}"


@pytest.mark.parametrize("text", ["${HOME}", "${env:}", "${env:A-B}", "${env:A", "${file:x}"])
def test_other_interpolation_is_refused(tmp_path: Path, text: str) -> None:
    (problem,) = told(tmp_path, f"registry: '{text}'\n", {"A": "x", "HOME": "y"})
    assert "nothing else is filled in" in problem


def test_no_problem_shows_a_value_of_the_environment(tmp_path: Path) -> None:
    text = """\
registry: ${env:EMPTY}
providers:
  gemini-api: {api_key_env: "${env:KEY}"}
  local: {max_concurrent_jobs: "${env:KEY}"}
  "prod": {kind: vertex, projct: "${env:KEY}"}
defaults: "${env:KEY}"
"""
    problems = told(tmp_path, text, {"KEY": SECRET, "EMPTY": ""})
    assert len(problems) == 5
    assert SECRET not in "\n".join(problems)
    assert "${env:KEY}" in problems[1]


def test_a_profile_does_not_print_its_options(tmp_path: Path) -> None:
    project = load(tmp_path, "providers: {vertex: {project: '${env:K}'}}\n", {"K": SECRET})
    assert SECRET not in repr(project)


def test_every_key_of_the_google_profiles_is_taken(tmp_path: Path) -> None:
    calls = """\
    endpoint: http://127.0.0.1:8787/prefix
    impersonate: caller@p.iam.gserviceaccount.com
    quota_project: billing
    request_timeout_s: 0.5
    listing_lag_s: 0
    usd_per_million_tokens: {gemini-3.5-flash: 12}
"""
    text = f"""\
providers:
  vertex:
    project: p
    location: us-central1
    bucket: my-bucket
    storage_endpoint: https://storage.example
    service_account: tuner@p.iam.gserviceaccount.com
    kms_key: projects/p/locations/us-central1/keyRings/r/cryptoKeys/k
{calls}  gemini-api:
    api_key_env: KEY
{calls}"""
    profiles = load(tmp_path, text).profiles
    assert set(profiles["vertex"].options) == BUILT_IN_KINDS["vertex"]
    assert set(profiles["gemini-api"].options) == BUILT_IN_KINDS["gemini-api"]
    assert profiles["gemini-api"].options["listing_lag_s"] == 0


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (
            "endpoint: 127.0.0.1:8787",
            (
                'endpoint is "127.0.0.1:8787"; write a URL that begins with http:// or https://, '
                "e.g. http://127.0.0.1:8787"
            ),
        ),
        (
            "storage_endpoint: ftp://a",
            (
                'storage_endpoint is "ftp://a"; write a URL that begins with http:// or https://, '
                "e.g. http://127.0.0.1:8787"
            ),
        ),
        ("bucket: gs://b/folder", "write the bucket without a path, e.g. gs://my-bucket"),
        ("service_account: tuner", "write its e-mail address, e.g. "),
        ("impersonate: caller", "write the service account's e-mail address, e.g. "),
        ("kms_key: k", "write projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY"),
        ("request_timeout_s: 0", "request_timeout_s is 0; write a number above 0"),
        ("listing_lag_s: -1", "listing_lag_s is -1; write at least 0"),
        ('listing_lag_s: "30"', "write 30, without quotes"),
    ],
)
def test_faulty_values_of_a_profile_are_told_how_to_write_them(
    tmp_path: Path, written: str, problem: str
) -> None:
    (line,) = told(tmp_path, f"providers:\n  vertex:\n    {written}\n")
    assert line.startswith(f"tunekit.yaml:3:5: providers.vertex.{written.partition(':')[0]} is ")
    assert problem in line


def test_problems_have_places_and_remedies(tmp_path: Path) -> None:
    text = """\
registy: x.db
providers:
  vertx: {project: p}
  local: {project: p}
  prod: {}
  "a b": {kind: vertex}
default: {}
"""
    assert told(tmp_path, text) == [
        "tunekit.yaml:1:1: there is no key registy; did you mean `registry`?",
        (
            'tunekit.yaml:6:3: the key "a b" of providers is not allowed; '
            "use at most 63 letters, digits, dots, hyphens and underscores"
        ),
        "tunekit.yaml:7:1: there is no key default; did you mean `defaults`?",
    ]
    fine = (
        text.replace("registy", "registry").replace('"a b"', "ab").replace("default:", "defaults:")
    )
    assert told(tmp_path, fine) == [
        "tunekit.yaml:3:3: providers.vertx has no kind; add `kind: vertex`",
        "tunekit.yaml:4:11: providers.local.project is not taken by local; remove it",
        "tunekit.yaml:5:3: providers.prod has no kind; add `kind: vertex`",
    ]


@pytest.mark.parametrize(
    "text", ["a: [\n", "registry: a\nregistry: b\n", "x\n", "- a\n", "registry: a\n---\nb: c\n"]
)
def test_broken_files_raise_spec_error(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text)


def test_a_project_file_that_is_not_text_raises_spec_error(tmp_path: Path) -> None:
    (tmp_path / "tunekit.yaml").mkdir()
    with pytest.raises(SpecError, match="can't be read"):
        load_project(tmp_path, environ={})


def test_a_project_file_of_the_wrong_name_is_not_silently_unread(tmp_path: Path) -> None:
    (tmp_path / "tunekit.yml").write_text("registry: x\n")
    with pytest.raises(SpecError, match=r"rename it to tunekit\.yaml"):
        load_project(tmp_path, environ={})


def test_an_experiment_of_an_unknown_provider_is_told_the_near_one(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "name: qa\nprovider: vertx\nbase_model: m\ndataset: {source: {path: a}}\n"
    )
    (experiment,) = load_experiments(["x.yaml"], root=tmp_path).experiments
    project = load_project(tmp_path, environ={})
    assert [str(problem) for problem in check_profile(experiment, project)] == [
        "x.yaml:2:1: no provider is called vertx; did you mean vertex?"
    ]


@pytest.mark.parametrize("key", ["AIzaSyA-1234567890", "AIzaSyA1234567890", "two words"])
def test_a_key_written_where_its_variables_name_belongs_is_not_repeated(
    tmp_path: Path, key: str
) -> None:
    text = f"providers:\n  gemini-api: {{api_key_env: {key}}}\n"
    (problem,) = told(tmp_path, text)
    assert key not in problem
    assert problem.startswith("tunekit.yaml:2:16: providers.gemini-api.api_key_env is a text of ")
    assert "name of an environment variable" in problem
