"""Services of a server that has a range of each address family."""

from collections.abc import Callable

from .api import MERGE
from .processes import Server


def test_services_of_two_families(make_server: Callable[..., Server]) -> None:
    api = make_server("--datastore", "memory", "--service-cidr", "10.96.0.0/16,fd00:10:96::/112").start().api
    (cidr,) = api.get("/apis/networking.k8s.io/v1/servicecidrs")["items"]
    assert cidr["spec"]["cidrs"] == ["10.96.0.0/16", "fd00:10:96::/112"]
    kubernetes = api.get("/api/v1/namespaces/default/services/kubernetes")["spec"]
    assert (kubernetes["clusterIPs"], kubernetes["ipFamilyPolicy"]) == (["10.96.0.1"], "SingleStack")
    services = "/api/v1/namespaces/default/services"

    def service(name: str, **spec: object) -> dict[str, object]:
        return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, **spec}}

    single = api.create(services, service("single"))["spec"]
    assert (single["ipFamilies"], len(single["clusterIPs"])) == (["IPv4"], 1)
    both = api.create(services, service("both", ipFamilyPolicy="PreferDualStack"))["spec"]
    assert both["ipFamilies"] == ["IPv4", "IPv6"]
    first, second = both["clusterIPs"]
    assert first.startswith("10.96.")
    assert second.startswith("fd00:10:96::")
    sixth = api.create(services, service("six", ipFamilies=["IPv6", "IPv4"], ipFamilyPolicy="RequireDualStack"))["spec"]
    assert sixth["clusterIP"].startswith("fd00:10:96::")
    held = {each["metadata"]["name"] for each in api.get("/apis/networking.k8s.io/v1/ipaddresses")["items"]}
    assert {first, second, *sixth["clusterIPs"]} <= held
    less = api.patch(f"{services}/both", {"spec": {"ipFamilyPolicy": "SingleStack"}}, MERGE)["spec"]
    assert (less["clusterIPs"], less["ipFamilies"]) == ([first], ["IPv4"])
    assert not api.exists(f"/apis/networking.k8s.io/v1/ipaddresses/{second}")
