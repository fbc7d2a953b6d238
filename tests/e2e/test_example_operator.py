"""`examples/operator`: its own tests, and the operator as a process beside kubectl."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from .api import Api
from .kubectl import Kubectl
from .processes import Server, environment, run
from .waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "operator"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/websites.example.com"


def test_its_tests() -> None:
    result = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE), timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_it_runs_beside_kubectl(api: Api, api_server: Server, kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    kubectl("apply", "-f", str(EXAMPLE / "crd.yaml"))
    lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/website-operator"
    variables = environment(api_server.kubeconfig)
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(EXAMPLE), variables.get("PYTHONPATH"))))
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "websites"]
        operator = subprocess.Popen(command, env=variables, stdout=output, stderr=output)
    try:
        kubectl("wait", "--for=condition=Established", "crd/websites.example.com")
        kubectl("apply", "-f", str(EXAMPLE / "website.yaml"))
        kubectl("wait", "--for=condition=Ready=False", "website/hello", "--timeout=20s")
        assert api.get(lease)["spec"]["holderIdentity"]
        header, row = kubectl("get", "site").splitlines()
        assert header.split() == ["NAME", "HOST", "READY", "REPLICAS"]
        assert row.split() == ["hello", "hello.example.com", "False", "0"]
        pods = f"/api/v1/namespaces/{namespace}/pods"
        for pod in until(lambda: len(found := api.get(pods)["items"]) == 2 and found, "two pods are there"):
            status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            api.patch(f"{pods}/{pod['metadata']['name']}/status", {"status": status})
        kubectl("wait", "--for=condition=Ready", "website/hello", "--timeout=20s")
        assert "http://hello.example.com is served" in kubectl("events", "--for=website/hello")
        assert "FIELD: replicas <integer>" in kubectl("explain", "website.spec.replicas")
        kubectl("delete", "website", "hello", "--timeout=20s")
        assert "data" not in api.get(f"/api/v1/namespaces/{namespace}/configmaps/hosts")
        operator.send_signal(signal.SIGTERM)
        assert operator.wait(10) == 0
        assert not api.get(lease)["spec"].get("holderIdentity")
        assert "Traceback" not in log.read_text()
    except BaseException:
        print(log.read_text()[-5000:])
        raise
    finally:
        if operator.poll() is None:
            operator.kill()
            operator.wait()
        api.delete(CRD)
