"""What a write is told in its query, and what is said of that which nobody understands."""

from __future__ import annotations

import pytest

from steersman.api.errors import StatusError
from steersman.apiserver.endpoints.options import delete_options, list_options, write_context
from steersman.apiserver.http.messages import Request


def request(query: str) -> Request:
    return Request("POST", "/", "/", query, {"user-agent": "kubectl/v1.35 (linux)"})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("dryRun=Some", 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        ("dryRun=All&dryRun=", 'dryRun: Unsupported value: ["All",""]: supported values: "All"'),
        (
            "fieldValidation=strict",
            'fieldValidation: Unsupported value: "strict": supported values: "", "Ignore", "Strict", "Warn"',
        ),
        ("fieldManager=" + "x" * 129, "fieldManager: Too long: may not be more than 128 bytes"),
        (
            "fieldManager=a%0Ab",
            'fieldManager: Invalid value: "a\\nb": invalid character U+000A (at position 1)',
        ),
    ],
)
def test_what_is_refused(query: str, message: str) -> None:
    with pytest.raises(StatusError) as caught:
        write_context(request(query), "CreateOptions")
    assert caught.value.code == 422
    assert caught.value.status.message == f'CreateOptions.meta.k8s.io "" is invalid: {message}'


def test_every_fault_is_told() -> None:
    with pytest.raises(StatusError) as caught:
        write_context(request("dryRun=x&fieldValidation=y&force=true"), "PatchOptions")
    details = caught.value.status.details
    assert details is not None
    assert [cause.field for cause in details.causes] == ["force", "dryRun", "fieldValidation"]


def test_what_is_understood() -> None:
    context = write_context(request("dryRun=All&fieldValidation=Strict&fieldManager=me"), "CreateOptions")
    assert (context.dry_run, context.field_validation, context.field_manager) == (True, "Strict", "me")
    assert write_context(request(""), "CreateOptions").field_manager == "kubectl"


@pytest.mark.parametrize("text", ["9" * 5000, "-" + "9" * 5000, "9223372036854775808"])
def test_numbers_that_no_machine_holds(text: str) -> None:
    for read, name in (
        (list_options, "limit"),
        (list_options, "timeoutSeconds"),
        (delete_options, "gracePeriodSeconds"),
    ):
        with pytest.raises(StatusError) as error:
            read(request(f"{name}={text}"))
        assert error.value.code == 400
        assert error.value.status.message == f'strconv.ParseInt: parsing "{text}": value out of range'
    assert list_options(request("limit=" + "0" * 5000 + "7")).limit == 7
