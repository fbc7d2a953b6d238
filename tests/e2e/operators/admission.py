"""The same operator's admission handlers; kopf runs the server and writes the webhook configurations."""

import os
from typing import Any

import kopf

GROUP = os.environ["GROUP"]
PORT = int(os.environ["WEBHOOK_PORT"])
CERTIFICATE, KEY = os.environ["WEBHOOK_CERTIFICATE"], os.environ["WEBHOOK_KEY"]


@kopf.on.startup()
def serve(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1", port=PORT, host="127.0.0.1", certfile=CERTIFICATE, pkeyfile=KEY
    )
    settings.admission.managed = f"admission.{GROUP}"


@kopf.on.mutate(GROUP, "databases", operations=["CREATE", "UPDATE"])
def completed(patch: kopf.Patch, spec: kopf.Spec, warnings: list[str], **_: Any) -> None:
    if "owner" not in spec:
        patch.spec["owner"] = "nobody"
        warnings.append("databases without an owner are nobody's")


@kopf.on.validate(GROUP, "databases", field="spec.size")
def checked(spec: kopf.Spec, dryrun: bool, userinfo: kopf.UserInfo, **_: Any) -> None:
    if spec["size"] > 100:
        raise kopf.AdmissionError(f"{userinfo['username']} wants too much", code=429)
