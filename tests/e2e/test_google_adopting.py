"""Jobs of Vertex AI that the registry did not start, lost, or must not mistake for another's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from tests.conftest import Project
from tests.e2e.cloud import Cloud
from tests.emulator.service import Service


@pytest.fixture
def cloud(project: Project, serve: Callable[..., Service]) -> Cloud:
    return Cloud(project, serve(checks_requests=True))


def test_vertex_is_told_to_keep_the_last_checkpoint_only(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex")
    text = (project.root / "experiments/mask.yaml").read_text()
    more = "{epochs: 2, export_last_checkpoint_only: true}"
    project.write("experiments/mask.yaml", text.replace("{epochs: 2}", more))
    project.ok("apply", "-y")
    sent = cloud.service.call("GET", f"/v1beta1/{project.job()['name']}")
    assert sent["supervisedTuningSpec"]["exportLastCheckpointOnly"] is True
