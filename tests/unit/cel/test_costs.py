"""What evaluation costs: upstream's own numbers (kubernetes ``celcoststability_test.go``)."""

import pytest

from steersman.cel import Environment, from_schema

INT, STRING, NUMBER, BOOL = ({"type": name} for name in ("integer", "string", "number", "boolean"))
BYTES, DURATION, DATE = ({"type": "string", "format": name} for name in ("byte", "duration", "date"))


def values(*pairs):
    schema = {f"val{index}": each for index, (each, _) in enumerate(pairs, 1)}
    return {"type": "object", "properties": schema}, {f"val{index}": value for index, (_, value) in enumerate(pairs, 1)}


def members(schema, value):
    return {"type": "object", "properties": schema}, value


def array(items, kind="atomic", *keys):
    return {"type": "array", "items": items, "x-kubernetes-list-type": kind, "x-kubernetes-list-map-keys": list(keys)}


def obj(**properties):
    return {"type": "object", "properties": properties}


def twice(literal):
    return f"self.val1 == self.val2 && self.val1 == {literal} && self.val2 == {literal}"


ROOK = "Rook takes \N{CROWN}"
NUMBERS = array(INT)
SET = array(STRING, "set")
PAIRS = array(obj(k=STRING, v=STRING), "map", "k")
A, B, B3, C = ({"k": k, "v": v} for k, v in (("a", "1"), ("b", "2"), ("b", "3"), ("c", "4")))
LISTED = [{"k": "a1", "v": "b1"}, {"k": "a2", "v": "b2"}, {"k": "a3", "v": "b3", "v2": "z"}]

CASES = [
    (values((INT, 7), (INT, 7)), {twice("7"): 11, "type(self.val1) == int": 4, "self.val1 + 1 == 7 + 1": 5}),
    (values((NUMBER, 1.5), (NUMBER, 1.5)), {twice("1.5"): 11, "type(self.val1) == double": 4}),
    (values((INT, 5), (NUMBER, 10.0)), {"double(self.val1) < self.val2": 6, "double(5) < 10.0": 1, "5 < int(10.0)": 1}),
    (
        values((STRING, ROOK), (STRING, ROOK)),
        {
            twice(f"'{ROOK}'"): 14,
            "self.val1.startsWith('Rook')": 4,
            "!self.val1.startsWith('knight')": 5,
            "self.val1.matches('^[^0-9]*$')": 8,
            "!self.val1.matches('^[0-9]*$')": 7,
            "size(self.val1) == 12": 4,
            "self.val1.charAt(3) == 'k'": 4,
            "self.val1.indexOf('o', 2) == 2": 4,
            "self.val1.replace(' ', 'x') != ''": 5,
            "self.val1.substring(0, 4) == 'Rook'": 5,
            "self.val1.substring(4, 10).trim() == 'takes'": 6,
            "self.val1.upperAscii() != self.val1": 8,
        },
    ),
    (
        values((NUMBERS, [3, 1, 2]), (array(STRING), ["b", "a"])),
        {
            "self.val1.reverse().size() == 3": 18,
            "self.val1.slice(0, 2).size() == 2": 17,
            "self.val1.distinct().size() == 3": 33,
            "self.val1.sort().size() == 3": 33,
            "self.val2.sort().size() == 2": 23,
            "self.val2.sortBy(x, size(x)).size() == 2": 54,
            "[self.val1, self.val1].flatten().size() == 6": 29,
        },
    ),
    (values((BYTES, "QUI="), (BYTES, "QUI=")), {"self.val1 == self.val2": 5, "type(self.val1) == bytes": 4}),
    (values((BOOL, True), (BOOL, True)), {twice("true"): 11}),
    (
        values((DURATION, "1h2m3s4ms"), (DURATION, "1h2m3s4ms")),
        {
            twice("duration('1h2m3s4ms')"): 11,
            "self.val1 == duration('1h2m') + duration('3s4ms')": 4,
            "self.val1.getHours() == 1": 4,
            "type(self.val1) == google.protobuf.Duration": 4,
        },
    ),
    (values((DATE, "1997-07-16"), (DATE, "1997-07-16")), {"self.val1.getDate() == 16": 4}),
    (
        values((STRING, "10"), (BYTES, "MTA=")),
        {"string(self.val2) == self.val1": 6, "bytes(self.val1) == self.val2": 6},
    ),
    (
        values((NUMBERS, [1, 2, 3]), (NUMBERS, [1, 2, 3])),
        {
            twice("[1, 2, 3]"): 11,
            "1 in self.val1": 5,
            "self.val2[0] in self.val1": 8,
            "!(0 in self.val1)": 6,
            "self.val1 + self.val2 == [1, 2, 3, 1, 2, 3]": 6,
            "self.val1 + [4, 5] == [1, 2, 3, 4, 5]": 4,
        },
    ),
    (
        values((SET, ["a", "b", "c"]), (SET, ["a", "c", "b"])),
        {
            "self.val1 == ['c', 'b', 'a']": 3,
            "self.val1 == self.val2": 5,
            "'a' in self.val1": 5,
            "self.val1 + self.val2 == ['a', 'b', 'c']": 6,
        },
    ),
    (
        members({"objs": array(PAIRS)}, {"objs": [[A, B], [B, A], [B3, A], [C]]}),
        {
            "self.objs[0] == self.objs[1]": 7,
            "self.objs[0] + self.objs[2] == self.objs[2]": 11,
            "self.objs[0] == [self.objs[0][1], self.objs[0][0]]": 22,
            "self.objs[2] + [self.objs[0][0], self.objs[0][1]] == self.objs[0]": 26,
            "size(self.objs[0] + [self.objs[3][0]]) == 3": 20,
        },
    ),
    (
        members({"a": obj(b=INT), "a1": obj(b1=obj(c1=INT), d2=obj(e2=INT))}, {"a": {"b": 1}, "a1": {"b1": {"c1": 4}}}),
        {
            "has(self.a.b)": 2,
            "has(self.a1.b1.c1)": 3,
            "!(has(self.a1.d2) && has(self.a1.d2.e2))": 3,
            "!has(self.a1.d2)": 3,
        },
    ),
    (
        members({"val": {"type": "object", "additionalProperties": INT}}, {"val": {"b": 1, "d": 2}}),
        {
            "!('a' in self.val)": 4,
            "'b' in self.val": 3,
            "self.val.all(k, self.val[k] > 0)": 17,
            "self.val.exists_one(k, self.val[k] == 2)": 14,
            "!self.val.exists_one(k, self.val[k] > 0)": 17,
            "size(self.val.filter(k, self.val[k] > 1)) == 1": 26,
        },
    ),
    (
        members({"listMap": array(obj(k=STRING, v=STRING, v2=STRING), "map", "k")}, {"listMap": LISTED}),
        {
            "has(self.listMap[0].v)": 3,
            "self.listMap.all(m, m.k.startsWith('a'))": 21,
            "self.listMap.all(m, !has(m.v2) || m.v2 == 'z')": 21,
            "self.listMap.exists(m, m.k.endsWith('1'))": 13,
            "self.listMap.exists_one(m, m.k == 'a3')": 15,
            "!self.listMap.all(m, m.k.endsWith('1'))": 18,
            "!self.listMap.exists(m, m.v == 'x')": 25,
            "size(self.listMap.filter(m, m.k == 'a1')) == 1": 27,
            "self.listMap.exists(m, m.k == 'a1' && m.v == 'b1')": 16,
            "self.listMap.map(m, m.v).exists(v, v == 'b1')": 55,
        },
    ),
    (
        members({"enumStr": STRING}, {"enumStr": "Pending"}),
        {"self.enumStr == 'Pending'": 3, "self.enumStr in ['Pending', 'Available']": 2},
    ),
]


@pytest.mark.parametrize(
    ("schema", "value", "rule", "cost"),
    [(schema, value, rule, cost) for (schema, value), rules in CASES for rule, cost in rules.items()],
)
def test_evaluation_costs_what_it_does_upstream(schema, value, rule, cost):
    result = Environment({"self": from_schema(schema)}).compile(rule).evaluate({"self": value})
    assert result == (True, cost, None)
