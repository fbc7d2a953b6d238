"""Websites, as crd.yaml defines them."""

from msgspec import field

from steersman.client import APIStruct, Condition, CustomObject


class WebsiteSpec(APIStruct):
    """What is wanted."""

    host: str = ""
    page: str = ""
    replicas: int | None = None


class WebsiteStatus(APIStruct):
    """What is."""

    observed_generation: int | None = None
    ready_replicas: int | None = None
    conditions: list[Condition] = field(default_factory=list)


class Website(CustomObject):
    """A page under a name."""

    API_VERSION = "example.com/v1"
    PLURAL = "websites"

    spec: WebsiteSpec = field(default_factory=WebsiteSpec)
    status: WebsiteStatus = field(default_factory=WebsiteStatus)
