"""What each library's functions give, and what they refuse."""

import pytest

from steersman.cel import DYN, CompileError, Environment

ENVIRONMENT = Environment({"x": DYN})

TRUE = """
1 / 0 == 1 || true
true || 1 / 0 == 1
!(false && 1 / 0 == 1)
!(1 / 0 == 1 && false)
[1, 2].exists(i, i / 0 == 1 || i == 2)
[1, 2, 3].all(i, v, i < v)
[1, 2].exists_one(i, i > 1)
[1, 2].map(i, i > 1, i * 2) == [4]
[1, 2, 3].transformList(i, v, i > 0, v * 2) == [4, 6]
{'a': 1}.transformMap(k, v, v + 1) == {'a': 2}
{'a': 1}.transformMapEntry(k, v, {string(v): k}) == {'1': 'a'}
dyn(1) == 1.0 && dyn(1u) == 1
dyn(true) != 1
7 / -2 == -3 && 7 % -2 == 1 && -7 % 2 == -1
int('-5') == -5 && uint('5') == 5u && double('1.5') == 1.5 && string(1.0) == '1'
type(1) == int && type('') == string
duration('1h') + duration('30m') == duration('90m')
string(duration('1m30s')) == '90s'
timestamp('2020-01-01T00:00:00Z') - timestamp('2019-01-01T00:00:00Z') == duration('8760h')
timestamp('2024-02-29T23:30:00Z').getDate('Europe/Berlin') == 1
timestamp('2024-02-29T23:30:00Z').getDayOfWeek() == 4
string(timestamp('2024-01-01T00:00:00.5Z')) == '2024-01-01T00:00:00.5Z'
[1, 2][?5].orValue(7) == 7
optional.of(1).optMap(v, v + 1).value() == 2
!optional.none().hasValue()
[?optional.none(), ?optional.of(2)] == [2]
{?'a': optional.of(1)} == {'a': 1}
'abc'.charAt(1) == 'b' && 'abc'.substring(1) == 'bc' && 'abc'.substring(0, 2) == 'ab'
'aXbX'.replace('X', '-', 1) == 'a-bX'
'a,b'.split(',').join('-') == 'a-b'
'Ab'.lowerAscii() == 'ab' && 'Ab'.upperAscii() == 'AB' && ' a '.trim() == 'a'
'abcabc'.indexOf('c', 3) == 5 && 'abcabc'.lastIndexOf('a') == 3
'%s %d %.2f %x %%'.format(['a', 3, 2.5, 255]) == 'a 3 2.50 ff %'
'%e'.format([3.14]) == '3.140000 \u00d7 10\u2070\u2070' && '%.1f'.format([12345.67]) == '12,345.7'
'%d %s %f %s'.format([1, 'abc', 1.0, duration('1m')]) == '1 abc 1.000000 60s'
'%s'.format([[1, 'a', true]]) == '[1, a, true]'
[1, 1, 3].isSorted() && !['b', 'a'].isSorted()
[1, 2].sum() == 3 && [duration('1s')].sum() == duration('1s') && [2, 1].max() == 2 && [2, 1].min() == 1
[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && [1].indexOf(5) == -1
'abc 123'.find('[0-9]+') == '123' && 'a1b22'.findAll('[0-9]+') == ['1', '22'] && 'a1b2'.findAll('[0-9]', 1) == ['1']
'foobar'.matches('^foo')
url('https://u@example.com:80/p?k=v&k=w').getHost() == 'example.com:80'
url('https://[::1]:80/').getHostname() == '::1' && url('/p?k=v').getQuery() == {'k': ['v']}
isURL('https://a') && !isURL('a b')
quantity('1Ki').isGreaterThan(quantity('1k')) && quantity('1500m').add(1).compareTo(quantity('2.5')) == 0
quantity('1.5').sub(quantity('0.5')).asInteger() == 1 && !isQuantity('1x') && quantity('-1').sign() == -1
ip('10.0.0.1').family() == 4 && ip('fe80::1').isLinkLocalUnicast() && ip('::1').isLoopback() && !isIP('010.0.0.1')
!isIP('::ffff:1.2.3.4') && !ip.isCanonical('2001:DB8::1') && ip('8.8.8.8').isGlobalUnicast()
cidr('10.0.0.0/8').containsIP('10.9.1.1') && !cidr('10.0.0.0/8').containsCIDR('10.0.0.0/7')
string(ip('::1')) == '::1' && string(cidr('10.0.0.0/8')) == '10.0.0.0/8'
cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8 && !isCIDR('10.0.0.0/33')
semver('1.2.3-a').isLessThan(semver('1.2.3')) && semver('1.0.0+x') == semver('1.0.0') && !isSemver('v1.0')
semver('v1.2', true).minor() == 2 && semver('1.0.0-2').compareTo(semver('1.0.0-10')) == -1
format.dns1123Label().validate('A').hasValue() && !format.dns1123Label().validate('a').hasValue()
format.named('uuid').value().validate('x').value() == ['does not match the UUID format']
!format.named('nothing').hasValue()
sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])
[[1], [2, 3]].flatten() == [1, 2, 3] && [[[1], [2]]].flatten(2) == [1, 2] && lists.range(3) == [0, 1, 2]
[3, 1, 2].sort() == [1, 2, 3] && ['ab', 'c'].sortBy(s, s.size()) == ['c', 'ab'] && [1, 2].reverse() == [2, 1]
!(0 in [].sortBy(v, -v)) && [].sortBy(v, -v).size() == 0
[1, 2, 3].slice(1, 2) == [2] && [dyn(1), 1.0, 2].distinct() == [1, 2] && [1, 2].first().value() == 1
![].last().hasValue() && [1, 2].last().value() == 2
"""

REFUSED = (
    ("1 / 0", "division by zero"),
    ("1 % 0", "modulus by zero"),
    ("9223372036854775807 + 1", "integer overflow"),
    ("0u - 1u", "unsigned integer overflow"),
    ("-(-9223372036854775807 - 1)", "integer overflow"),
    ("{'a': 1}.b", "no such key: b"),
    ("{'a': 1}['b']", "no such key: b"),
    ("[1][3]", "index out of bounds: 3"),
    ("'abc'.substring(2, 1)", "invalid substring range. start: 2, end: 1"),
    ("[dyn(1)].filter(i, false).min()", "min called on empty list"),
    ("[1].slice(0, 2)", "cannot slice(0, 2), list is length 1"),
    ("[dyn(1), dyn('a')].sort()", "list elements must have the same type"),
    ("optional.none().value()", "optional.none() dereference"),
    ("x.missing", "no such key: missing"),
    ("x.number && true", "no such overload"),
    ("[1, 2].all(i, 1 / (i - 1) > 0)", "division by zero"),
)


@pytest.mark.parametrize("expression", TRUE.strip().splitlines())
def test_holds(expression):
    assert ENVIRONMENT.compile(expression).evaluate({"x": {}})[::2] == (True, None)


@pytest.mark.parametrize(("expression", "message"), REFUSED)
def test_is_an_error(expression, message):
    assert str(ENVIRONMENT.compile(expression, "dyn").evaluate({"x": {"number": 1}}).error) == message


UNKNOWN = ("math.abs(1)", "cel.bind(a, 1, a)", "base64.encode(b'a')", "'ab'.reverse()", "jsonpatch.escapeKey('a')")


@pytest.mark.parametrize("expression", UNKNOWN)
def test_what_kubernetes_does_not_have_is_refused(expression):
    with pytest.raises(CompileError):
        ENVIRONMENT.compile(expression, "dyn")


LITERALS = (
    ("[1, 'a'] == [2]", "<input>:1:5: expected type 'int' but found 'string'\n | [1, 'a'] == [2]\n | ....^"),
    ("[[1], ['a']].size() == 2", "expected type 'list(int)' but found 'list(string)'"),
    ("{'a': 1, 'b': true}.a == 1", "expected type 'int' but found 'bool'"),
    ("{1: 1, 'b': 1}.size() == 1", "expected type 'int' but found 'string'"),
    ("duration('1x') > duration('1s')", "<input>:1:10: invalid duration argument"),
    ("timestamp('today') == timestamp('2020-01-01T00:00:00Z')", "invalid timestamp argument"),
    ("'a'.find('[') == ''", "program instantiation failed: error parsing regexp: "),
    ("'a'.matches('[')", "<input>:1:13: invalid matches argument"),
)


@pytest.mark.parametrize(("expression", "message"), LITERALS)
def test_literals_are_looked_at_when_compiled(expression, message):
    with pytest.raises(CompileError) as refused:
        ENVIRONMENT.compile(expression)
    assert message in str(refused.value)


@pytest.mark.parametrize("expression", ["[x, 1] != []", "[dyn(1), 'a'] != []", "{'a': x, 'b': 1}.size() == 2"])
def test_what_is_only_known_later_may_be_mixed(expression):
    assert ENVIRONMENT.compile(expression).evaluate({"x": 1}).value is True
