"""What is wrong with a scenario."""

from __future__ import annotations


class ScenarioError(ValueError):
    """``path`` says where: ``nodes[0].cpu``, or a file and what is in it."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(f"{path}: {fault}" if path else fault)
        self.path = path
        self.fault = fault

    def below(self, path: str) -> ScenarioError:
        """The same, told from one level further up: what is wrong with a file."""
        return self if self.path == path else ScenarioError(path, str(self))
