"""Transactions on the table: pure functions from what is installed and what is wanted to nftables text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .rules import SHARED, Elements, Fragment, Layout

Element = tuple[str, str]
_BATCH = 500
"""Elements in one statement: few statements parse faster, huge ones are hard to read in errors."""


class Claims:
    """Which service holds an element of a shared set, where several claim it.

    Addresses and ports are allocated once, but external IPs are not, and a port can move from one service to
    another faster than the watches tell.  The kernel refuses an element twice, and the whole transaction with it:
    the first service in the order of names holds the element.
    """

    def __init__(self) -> None:
        self._claims: dict[Element, dict[str, str]] = {}

    def verdict(self, element: Element) -> str | None:
        """What shall be installed; None where nobody claims the element."""
        claims = self._claims.get(element)
        return claims[min(claims)] if claims else None

    def replace(self, owner: str, old: Elements, new: Elements) -> None:
        """Take an owner's old claims back and make its new ones."""
        for element in old:
            if element not in new and (claims := self._claims.get(element)) is not None:
                claims.pop(owner, None)
                if not claims:
                    del self._claims[element]
        for element, verdict in new.items():
            self._claims.setdefault(element, {})[owner] = verdict

    def all(self) -> Elements:
        """Every element with what shall be installed."""
        return {element: claims[min(claims)] for element, claims in self._claims.items()}


def full(layout: Layout, fragments: Iterable[Fragment], elements: Elements, kept: Mapping[str, str]) -> str:
    """Replace the whole table.  ``kept`` has the contents of affinity sets that live on, as nftables text."""
    table = f"ip {layout.table}"
    base = layout.chains()
    out = [f"add table {table}", f"delete table {table}", f"table {table} {{"]
    fragments = list(fragments)
    contents: dict[str, list[str]] = {}
    for (name, key), verdict in elements.items():
        contents.setdefault(name, []).append(f"{key} : {verdict}" if verdict else key)
    for name, (kind, declaration) in SHARED.items():
        items = contents.get(name)
        out.append(f"{kind} {name} {{ {declaration};")
        if items:
            out.append(f"elements = {{ {', '.join(items)} }}")
        out.append("}")
    for item in fragments:
        for name, declaration in item.sets.items():
            inner = f" elements = {{ {kept[name]} }}" if kept.get(name) else ""
            out.append(f"set {name} {{ {declaration}{inner} }}")
    hooks = {chain for chain, rules in base.items() if rules[0].startswith("type ")}
    declared = [
        *(chain for item in fragments for chain in item.chains),
        *(chain for chain in base if chain not in hooks),
    ]
    out.extend(f"chain {chain} {{ }}" for chain in declared)  # all exist before any rule leads there
    for chain, rules in [pair for item in fragments for pair in item.chains.items()] + [*base.items()]:
        out.append(f"chain {chain} {{")
        out.extend(rules)
        out.append("}")
    out.append("}\n")
    return "\n".join(out)


def incremental(
    layout: Layout,
    changes: Mapping[str, tuple[Fragment, Fragment]],
    claims: Claims,
) -> tuple[str, str]:
    """Bring services from their old to their new fragments; moves their claims.

    Two transactions: the second removes chains and sets which the first stopped using, because the kernel may
    still count the reference of a map that was emptied in the same transaction.
    """
    table = f"ip {layout.table}"
    before: dict[Element, str | None] = {}
    for old, new in changes.values():
        for element in (*old.elements, *new.elements):
            if element not in before:
                before[element] = claims.verdict(element)
    for owner, (old, new) in changes.items():
        claims.replace(owner, old.elements, new.elements)

    added: list[str] = []
    filled: list[str] = []
    removed: list[str] = []
    for old, new in changes.values():
        for name, declaration in new.sets.items():
            if old.sets.get(name) == declaration:
                continue
            if name in old.sets:  # its timeout changed; the rules that use it are written again below
                filled.append(f"flush set {table} {name}")
                continue
            added.append(f"add set {table} {name} {{ {declaration} }}")
        for chain, rules in new.chains.items():
            if old.chains.get(chain) == rules:
                continue
            added.append(f"add chain {table} {chain}")
            if chain in old.chains:
                filled.append(f"flush chain {table} {chain}")
            filled.extend(f"add rule {table} {chain} {rule}" for rule in rules)
        gone = [chain for chain in old.chains if chain not in new.chains]
        removed.extend(f"flush chain {table} {chain}" for chain in gone)
        removed.extend(f"delete chain {table} {chain}" for chain in gone)
        removed.extend(f"delete set {table} {name}" for name in old.sets if name not in new.sets)

    out_elements: dict[str, list[str]] = {}
    in_elements: dict[str, list[str]] = {}
    for (name, key), was in before.items():
        shall = claims.verdict((name, key))
        if was == shall:
            continue
        if was is not None:
            out_elements.setdefault(name, []).append(key)
        if shall is not None:
            in_elements.setdefault(name, []).append(f"{key} : {shall}" if shall else key)
    for name, keys in out_elements.items():
        filled.extend(f"delete element {table} {name} {{ {batch} }}" for batch in _batches(keys))
    for name, keys in in_elements.items():
        filled.extend(f"add element {table} {name} {{ {batch} }}" for batch in _batches(keys))
    return "\n".join([*added, *filled]), "\n".join(removed)


def _batches(items: list[str]) -> Iterable[str]:
    for start in range(0, len(items), _BATCH):
        yield ", ".join(items[start : start + _BATCH])
