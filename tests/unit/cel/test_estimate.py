"""What rules are estimated at: upstream's own numbers (kubernetes ``compilation_test.go``, ``cost_test.go``)."""

import pytest

from steersman.cel import Environment, exceeds, from_schema
from steersman.cel.library.authorizing import AUTHORIZER
from steersman.cel.types import Decl

DATES = {"duration": "duration", "date": "date", "date-time": "date-time"}
REQUIRED = {"type": "object", "required": ["required"], "properties": {"required": {"type": "string"}}}


def scalar(kind):
    if kind in DATES:
        return {"type": "string", "format": kind}
    return {"x-kubernetes-int-or-string": True} if kind == "int-or-string" else {"type": kind}


def limited(schema, name, limit):
    return schema if limit is None else schema | {name: limit}


def array(item):
    inner = scalar(item) if isinstance(item, str) else item
    return lambda limit: limited({"type": "array", "items": inner}, "maxItems", limit)


def mapping(value):
    inner = scalar(value) if isinstance(value, str) else value
    return lambda limit: limited({"type": "object", "additionalProperties": inner}, "maxProperties", limit)


def string(limit):
    return limited({"type": "string"}, "maxLength", limit)


def texts(limit):
    return limited({"type": "array", "items": string(limit)}, "maxItems", limit)


def values(limit):
    return limited({"type": "object", "additionalProperties": string(limit)}, "maxProperties", limit)


def members(**properties):
    return lambda limit: {"type": "object", "properties": {name: of(limit) for name, of in properties.items()}}


def enum(limit):
    return limited({"type": "string", "enum": ["A", "B", "C", "LongValue"]}, "maxLength", limit)


@pytest.mark.parametrize(
    ("schema", "rule", "free", "limit", "bound"),
    [
        (array("number"), "self.all(x, true)", 4718591, 10, 32),
        (array("string"), "self.all(x, true)", 3145727, 20, 62),
        (array("boolean"), "self.all(x, true)", 1887437, 5, 17),
        (array({"type": "array", "items": {"type": "number"}}), "self.all(x, true)", 3145727, 100, 302),
        (mapping("number"), "self.all(x, true)", 1348169, 10, 32),
        (mapping("string"), "self.all(x, true)", 1179647, 3, 11),
        (mapping("boolean"), "self.all(x, true)", 943718, 100, 302),
        (string, "self.contains('test')", 314574, 10, 5),
        (string, "self.startsWith('test')", 2, 15, 2),
        (string, "size(self + 'hello') > size('hello')", 314578, 4, 7),
        (array("number"), "self[1] == 0.0", 2, 5000, 2),
        (array("string"), "self[1] == self[1]", 314577, 8, 314577),
        (array("number"), "self.all(x, self.all(y, true))", None, 10, 352),
        (array("number"), "self.all(x, self.all(y, self.all(z, true)))", None, 10, 3552),
        (string, "self.matches('x')", 314574, 50, 22),
        (string, "''.matches('(((((((((())))))))))[0-9]')", 7, 10, 7),
        (string, "self.matches('')", 1, 100, 1),
        (values, "self.all(x, x.contains(self[x]))", None, 10, None),
        (string, "self == 'x'", 2, 0, 1),
        (array("number"), "self.all(x, x == 0.0)", 6291454, 3 * 1024 * 2048, 25165826),
        (array(mapping(REQUIRED)(None)), "self.all(x, x['y'].required == 'z')", 7340027, 10, 72),
        (array("int-or-string"), "self.all(x, true)", 4718591, 10, 32),
        (array("int-or-string"), "self[0] == 5", 3, 10, 3),
        (array("boolean"), "self[0] == false", 2, 25, 2),
        (array(mapping("number")(None)), "self.all(x, x.y == 25.2)", 6291452, 12, 74),
        (array(mapping("number")(None)), "self[0].x > 2.0", 4, 3000, 4),
        (array("duration"), "self.all(x, true)", 2359295, 5, 17),
        (array("duration"), "self[0].getHours() == 2", 4, 525, 4),
        (array("date"), "self.all(x, true)", 725936, 15, 47),
        (array("date-time"), "self.all(x, true)", 428963, 25, 77),
        (mapping("int-or-string"), "self.all(x, true)", 1348169, 15, 47),
        (mapping(REQUIRED), "self.all(x, true)", 428963, 20, 62),
        (mapping(mapping("number")(None)), "self.all(x, true)", 1179647, 10, 32),
        (mapping("duration"), "self.all(x, true)", 1048577, 5, 17),
        (mapping("date"), "self.all(x, true)", 524288, 10, 32),
        (mapping("date-time"), "self.all(x, true)", 349526, 25, 77),
        (string, "self.find('[0-9]+') == ''", 629147, 10, 11),
        (texts, "self.join(' ') == 'aa bb'", 329853068905, 10, 43),
        (texts, "self.isSorted() == true", 329854432052, 10, 52),
        (members(str=string, separator=string), "self.str.split(self.separator) == []", 629160, 10, 22),
        (string, "self.lowerAscii() == 'lower!'", 314575, 10, 6),
        (mapping("integer"), "oldSelf.size() == self.size()", 5, 10, 5),
        (mapping("date-time"), "self['a'] == self['b']", 8, 7, 8),
        (mapping("duration"), "self['c'] == self['d']", 8, 42, 8),
        (enum, "self.contains('A')", 2, 1000, 401),
        (
            lambda limit: members(str=lambda _: string(limit), before=lambda _: string(2), after=lambda _: string(4))(
                0
            ),
            "self.str.replace(self.before, self.after) == 'does not matter'",
            629154,
            4,
            12,
        ),
    ],
)
def test_rules_of_schemas_cost_what_they_do_upstream(schema, rule, free, limit, bound):
    for most, wanted in ((None, free), (limit, bound)):
        declared = from_schema(schema(most))
        cost = Environment({"self": declared, "oldSelf": declared}).compile(rule).estimate()
        if wanted is not None:
            assert cost == wanted, most
        elif most is None and "[x]" not in rule:
            assert cost > 10_000_000


@pytest.mark.parametrize(
    ("expression", "estimate", "actual"),
    [
        ("[1, 2, 3, 4, 5].sum()", (15, 15), None),
        ("[1, 2, 3, 4, 5].isSorted()", (15, 15), None),
        ("[1, 2, 3, 4, 5].indexOf(3)", (15, 15), None),
        ("'01234567890123456789012345678901234567890123456789'.indexOf('123')", (5, 5), 5),
        ("url('https:://kubernetes.io/').getHost()", (4, 4), 4),
        ("ip('192.168.0.1')", (2, 2), 2),
        ("ip('2001:db8:3333:4444:5555:6666:7777:8888').family()", (5, 5), 5),
        ("ip.isCanonical('192.168.0.1')", (3, 3), 3),
        ("ip.isCanonical('2001:db8:3333:4444:5555:6666:7777:8888')", (8, 8), 8),
        ("cidr('192.168.0.0/16').masked()", (3, 3), 3),
        ("cidr('192.168.0.0/16').containsIP('192.169.0.1')", (5, 8), 5),
        ("'ABCDEFGHIJ abcdefghij'.upperAscii()", (3, 3), 3),
        ("'ABCDEFGHIJ abcdefghij'.lowerAscii() == 'abcdefghij ABCDEFGHIJ'.lowerAscii()", (7, 9), 9),
        ("strings.quote('ABCDEFGHIJ abcdefghij')", (3, 3), 3),
        ("'abc 123 def 123'.replace('123', '456')", (3, 3), 3),
        ("'abc 123 def 123'.replace('', 'x')", (3, 3), 3),
        ("'abc 123 def 123'.split(' ', 1)", (3, 3), 3),
        ("'abc 123 def 123'.substring(5, 8)", (2, 2), 2),
        ("'  abc 123 def 123  '.trim()", (2, 2), 2),
        ("'abc 123 def 123'.findAll('123')", (2, 2), 2),
        ("authorizer.path('/healthz')", (2, 2), 2),
        ("authorizer.group('apps').resource('a').subresource('status').namespace('n').name('b')", (6, 6), 6),
        ("authorizer.path('/healthz').check('get').allowed()", (350003, 350003), 350003),
        ("quantity('12Mi')", (1, 1), 1),
        ("quantity('50M').isLessThan(quantity('50Mi'))", (3, 3), 3),
        ("quantity('200M').compareTo(quantity('0.2G')) > 0", (4, 4), 4),
        ("quantity('50k').add(20).sub(quantity('100k')).asInteger() > 0", (6, 6), 6),
        ("sets.contains([], [])", (21, 21), None),
        ("sets.contains([1, 2, 3, 4], [2, 3])", (29, 29), None),
        ("!sets.contains([1], [1, 2])", (24, 24), None),
        ("sets.equivalent([1, 2, 3], [3, 2, 1])", (39, 39), None),
        ("sets.intersects([[1], [2, 3]], [[1, 2], [2, 3]])", (65, 65), None),
        ("true || false", (0, 0), 0),
        ("1 < 2", (1, 1), 1),
        ("2 in [1, 2, 3]", (13, 13), None),
        ("true ? 1 : 2", (0, 0), 0),
        ("size('123')", (1, 1), 1),
        ("'123'.matches('[0-9]')", (2, 2), 2),
        ("[1, 2, 3].all(x, true)", (20, 20), None),
        ("[1, 2, 3].reverse()", (24, 24), None),
        ("[1, 2, 3].slice(0, 2)", (23, 23), None),
        ("lists.range(5)", (16, 16), None),
        ("[[1], [2, 3]].flatten()", (43, 43), None),
        ("[[1]].flatten(2)", (33, 33), None),
        ("[3, 1].distinct()", (29, 29), None),
        ("[3, 1].sort()", (29, 29), None),
        ("['b', 'a'].sort()", (30, 30), None),
    ],
)
def test_calls_cost_what_they_do_upstream(expression, estimate, actual, authorizer):
    program = Environment({"authorizer": Decl(AUTHORIZER)}).compile(expression, "dyn")
    assert program.estimates() == estimate
    if actual is not None:
        assert program.evaluate({"authorizer": authorizer}).cost == actual


@pytest.mark.parametrize(
    "rule",
    [
        "self.items.all(i, i.contains('abcabcabcabc') || i.matches('a+') || i == 'x')",
        "self.items.map(i, i + i).exists(i, i.size() > 3)",
        "self.items.filter(i, i in self.items).size() == 10",
        "self.items.all(i, self.items.exists(j, i.replace('a', 'b') == j.upperAscii()))",
        "[1, 2].all(i, v, self.items.join(',').find('x*') != '')",
    ],
)
def test_no_rule_costs_more_than_estimated(rule):
    items = {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 20}}
    program = Environment({"self": from_schema({"type": "object", "properties": {"items": items}})}).compile(rule)
    for length in (0, 1, 20):
        assert program.evaluate({"self": {"items": ["a" * length] * 10}}).cost <= program.estimate()


@pytest.mark.parametrize(
    ("cost", "factor"), [(10**7, None), (11_000_000, "1.100000x"), (25_000_000, "2.5x"), (10**10, "more than 100x")]
)
def test_costs_are_told_as_upstream_tells_them(cost, factor):
    text = exceeds(cost)
    assert (
        text is None
        if factor is None
        else text.startswith(f"estimated rule cost exceeds budget by factor of {factor} (")
    )
