"""What ``/metrics`` shows: upstream's names and labels, and the numbers that were counted."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from steersman.api.user import User
from steersman.apiserver.endpoints.health import Health, ping
from steersman.apiserver.endpoints.measuring import MOST_SERIES, Counter, Distribution
from steersman.apiserver.endpoints.metrics import Metrics
from steersman.apiserver.endpoints.request_info import RequestInfo
from steersman.apiserver.http.messages import Request

GET = RequestInfo(True, "get", "/api/v1/namespaces/a/pods/b", "", "v1", "a", "pods", "", "b", ("pods", "b"))
WATCH = RequestInfo(True, "watch", "/api/v1/pods", "", "v1", "", "pods", "", "", ("pods",))
PATCH = GET._replace(verb="patch")
POD = {"group": "", "version": "v1", "resource": "pods", "subresource": ""}

Samples = Callable[..., dict[str, float]]


async def shown(metrics: Metrics, path: str = "/metrics") -> Samples:
    answer = await metrics.respond(Request("GET", path, path, "", {}))
    assert answer is not None
    assert isinstance(answer.body, bytes)
    samples = [sample for family in text_string_to_metric_families(answer.body.decode()) for sample in family.samples]

    def find(metric: str, /, **labels: str) -> dict[str, float]:
        found = {}
        for sample in samples:
            if sample.name == metric and labels.items() <= sample.labels.items():
                rest = {key: value for key, value in sample.labels.items() if key not in labels}
                found[",".join(f"{key}={value}" for key, value in rest.items())] = sample.value
        return found

    return find


async def test_requests() -> None:
    metrics = Metrics()
    for seconds in (0.001, 0.03, 0.03, 70):
        metrics.observe(GET, 200, seconds, size=5000)
    metrics.observe(GET, 404, 0.001, size=100)
    metrics.observe(PATCH, 200, 0.001, dry_run="All", apply=True)
    metrics.observe(WATCH, 200, 1800)
    metrics.observe(RequestInfo(False, "get", "/readyz"), 200, 0.001)
    metrics.observe(RequestInfo(False, "get", "/made/up"), 404, 0.001)
    find = await shown(metrics)
    get = {**POD, "component": "apiserver", "scope": "resource", "verb": "GET"}
    assert find("apiserver_request_total", dry_run="", **get) == {"code=200": 4, "code=404": 1}
    assert find("apiserver_request_total", verb="APPLY", dry_run="All", code="200", **POD) != {}
    assert find("apiserver_request_total", verb="WATCH", scope="cluster", code="200", **POD) != {}
    assert set(find("apiserver_request_total", resource="", verb="GET").values()) == {1}
    assert len(find("apiserver_request_total", subresource="/readyz")) == 1
    assert find("apiserver_request_total", subresource="/made/up") == {}
    buckets = find("apiserver_request_duration_seconds_bucket", dry_run="", **get)
    assert {name: buckets[f"le={name}"] for name in ("0.005", "0.025", "0.05", "60", "+Inf")} == {
        "0.005": 2, "0.025": 2, "0.05": 4, "60": 4, "+Inf": 5,
    }  # fmt: skip
    sli = find("apiserver_request_sli_duration_seconds_bucket", **get)
    assert (len(sli), sli["le=0.05"], sli["le=+Inf"]) == (22, 4, 5)
    assert find("apiserver_request_duration_seconds_count", verb="WATCH") == {}
    assert find("apiserver_response_sizes_bucket", le="1000", **get) == {"": 1}
    assert find("apiserver_response_sizes_sum", **get) == {"": 20100}


async def test_who_and_whether() -> None:
    metrics = Metrics()
    for name in ("admin", "somebody", "a@example.com"):
        metrics.authenticated(User(name), 0.001)
    metrics.authenticated(None, 0.001)
    metrics.authorized(True, 0.0001)
    metrics.authorized(False, 0.0001)
    metrics.admission.plugin("NamespaceLifecycle", "CREATE", True, "admit", 0.001)
    metrics.deprecated(WATCH._replace(resource="endpoints"))
    metrics.refused(GET, 429)
    metrics.long_running(WATCH, 1)
    metrics.long_running(WATCH, 1)
    metrics.long_running(WATCH, -1)
    metrics.inflight[True] = 3
    find = await shown(metrics)
    assert find("authenticated_user_requests") == {"username=admin": 1, "username=other": 1, "username=email_id": 1}
    assert find("authentication_attempts") == {"result=success": 3, "result=failure": 1}
    assert find("authorization_attempts_total") == {"result=allowed": 1, "result=denied": 1}
    assert find("apiserver_admission_controller_admission_duration_seconds_count", rejected="true") == {
        "name=NamespaceLifecycle,operation=CREATE,type=admit": 1
    }
    assert find("apiserver_requested_deprecated_apis", resource="endpoints", version="v1") != {}
    assert set(find("apiserver_request_terminations_total", code="429").values()) == {1}
    assert set(find("apiserver_longrunning_requests", verb="WATCH").values()) == {1}
    assert find("apiserver_current_inflight_requests") == {"request_kind=mutating": 3, "request_kind=readOnly": 0}
    assert find("process_resident_memory_bytes") != {}


async def test_what_admission_does() -> None:
    metrics = Metrics()
    told = metrics.admission
    told.step("CREATE", False, "validate", 0.01)
    told.webhook("a.example.com", "validating", "CREATE", True, 500, 0.1)
    told.webhook_rejected("a.example.com", "validating", "CREATE", "calling_webhook_error", 500)
    told.webhook_failed_open("b.example.com", "admit")
    told.conditions("p", "policy", "validate", "CREATE", 0.001, 2)
    told.excluded("p", "policy", "validate", "CREATE")
    told.validation("p", "b", "no_error", "deny", 0.001)
    told.mutation("m", "b", "invalid_error", 0.001)
    find = await shown(metrics)
    hook = {"name": "a.example.com", "operation": "CREATE", "type": "validating"}
    condition = "kind=policy,name=p,operation=CREATE,type=validate"
    for name, labels in (
        ("step_admission_duration_seconds_count", "operation=CREATE,rejected=false,type=validate"),
        ("webhook_fail_open_count", "name=b.example.com,type=admit"),
        ("match_condition_evaluation_seconds_count", condition),
        ("match_condition_exclusions_total", condition),
    ):
        assert find(f"apiserver_admission_{name}") == {labels: 1}
    assert find("apiserver_admission_match_condition_evaluation_errors_total") == {condition: 2}
    assert find("apiserver_admission_webhook_admission_duration_seconds_count", **hook) == {"rejected=true": 1}
    assert find("apiserver_admission_webhook_request_total", **hook) == {"code=500,rejected=true": 1}
    assert find("apiserver_admission_webhook_rejection_count", **hook) == {
        "error_type=calling_webhook_error,rejection_code=500": 1
    }
    checked = {"policy_binding": "b", "error_type": "no_error", "enforcement_action": "deny"}
    for name in ("check_total", "check_duration_seconds_count"):
        assert find(f"apiserver_validating_admission_policy_{name}", **checked) == {"policy=p": 1}
        assert find(f"apiserver_mutating_admission_policy_{name}") == {
            "error_type=invalid_error,policy=m,policy_binding=b": 1
        }


async def test_checks() -> None:
    async def failing() -> None:
        raise OSError("no")

    metrics = Metrics()
    health = Health({}, {}, {"ping": ping, "etcd": failing})
    metrics.add_slis(health)
    assert await health.respond(Request("GET", "/readyz", "/readyz", "", {})) is not None
    find = await shown(metrics, "/metrics/slis")
    assert find("kubernetes_healthcheck", type="readyz") == {"name=ping": 1, "name=etcd": 0}
    assert find("kubernetes_healthchecks_total", name="etcd") == {"status=error,type=readyz": 1}
    assert (await shown(metrics))("kubernetes_healthcheck") != {}


def test_names_without_number_are_not_kept() -> None:
    counter = Counter("x_total", "", ("name",))
    for number in range(MOST_SERIES + 10):
        counter.add((str(number),))
    assert len(counter.values) == MOST_SERIES


def test_bounds_are_inclusive() -> None:
    distribution = Distribution((1.0, 2.0))
    for value in (1.0, 1.5, 2.0, 3.0):
        distribution.observe(value)
    assert distribution.buckets() == [("1", 1.0), ("2", 3.0), ("+Inf", 4.0)]


async def test_deprecated_resources_of_definitions_without_number_are_not_all_counted() -> None:
    metrics = Metrics()
    for number in range(MOST_SERIES + 10):
        metrics.deprecated(
            RequestInfo(True, "get", "/", group=f"g{number}.example.com", version="v1", resource="things")
        )
    assert len((await shown(metrics))("apiserver_requested_deprecated_apis")) == MOST_SERIES
