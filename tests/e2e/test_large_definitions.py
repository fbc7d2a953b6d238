"""Definitions of hundreds of KB, under kubectl."""

import json
from pathlib import Path
from typing import Any

import yaml

from .api import Api
from .kubectl import Kubectl
from .large_definitions import Expander, issuers, prometheuses
from .test_custom_resources import CRDS, established, group
from .waiting import until

__all__ = ("group",)


def test_definitions_of_the_size_people_ship(api: Api, kubectl: Kubectl, group: str, tmp_path: Path) -> None:
    core = Expander(api.request("GET", "/openapi/v3/api/v1").body)
    for number, wanted in enumerate((prometheuses(core, group), issuers(core, group))):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(wanted))
        assert file.stat().st_size > 400_000
        name = wanted["metadata"]["name"]
        assert "serverside-applied" in kubectl("apply", "--server-side", "-f", str(file))
        until(lambda name=name: established(api, name), f"{name} is established")  # type: ignore[misc]
        kubectl("diff", "--server-side", "-f", str(file))
        # What clients note of it themselves is more than annotations hold.
        told = kubectl.refused("apply", "-f", str(file))
        assert "metadata.annotations: Too long: may not be more than 262144 bytes" in told
    probe = "spec.containers.livenessProbe.httpGet"
    shown = kubectl("explain", f"prometheuses.{probe}", "--api-version", f"{group}/v1alpha1")
    assert "Scheme to use for connecting to the host." in shown
    deep = "spec.acme.solvers.http01.ingress.podTemplate.spec.affinity"
    assert "podAntiAffinity" in kubectl("explain", f"issuers.{deep}", "--api-version", f"{group}/v1")

    prometheus: dict[str, Any] = {
        "apiVersion": f"{group}/v1",
        "kind": "Prometheus",
        "metadata": {"name": "main"},
        "spec": {
            "containers": [{"name": "a", "image": "b", "resources": {"limits": {"memory": "1Gi", "cpu": 1}}}],
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
            "scrape1": {"interval": "30s"},
        },
    }
    text = yaml.safe_dump(prometheus)
    assert "created" in kubectl("apply", "-f", "-", input=text)
    assert "unchanged" in kubectl("apply", "-f", "-", input=text)
    kubectl("diff", "-f", "-", input=text)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)
    kubectl("diff", "--server-side", "--force-conflicts", "-f", "-", input=text)
    for right, wrong, refusal in (
        ("interval: 30s", "interval: soon", "spec.scrape1.interval in body should match"),
        ("sizeLimit: 1Gi", "sizeLimit: much", "spec.volumes[0].emptyDir.sizeLimit in body should match"),
        ("image: b", "imag: b", 'unknown field "spec.containers[0].imag"'),
    ):
        assert refusal in kubectl.refused("apply", "-f", "-", input=text.replace(right, wrong))
    assert api.request("GET", f"{CRDS}/prometheuses.{group}").body["status"]["storedVersions"] == ["v1"]
