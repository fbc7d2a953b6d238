"""Kubernetes's libraries, by upstream's own cases (``quantity_test.go``, ``ip_test.go``, ``cidr_test.go``, …)."""

import pytest

from steersman.cel import Environment

ENVIRONMENT = Environment({})
FORMATS = (
    *("dns1123Label", "dns1123Subdomain", "dns1035Label", "qualifiedName", "labelValue", "dns1123LabelPrefix"),
    *("dns1123SubdomainPrefix", "dns1035LabelPrefix", "uri", "uuid", "byte", "date", "datetime"),
)

HOLDS = """
isQuantity('20') && isQuantity('20M') && isQuantity('20Mi') && !isQuantity('20Mo') && !isQuantity('10Mm')
quantity('200M') == quantity('0.2G') && quantity('200M') != quantity('0.3G')
quantity('50M').isLessThan(quantity('50Mi')) && !quantity('50k').add(20).isLessThan(quantity('50020'))
quantity('200M').compareTo(quantity('0.2G')) == 0 && quantity('50M').compareTo(quantity('50Mi')) == -1
quantity('50k').add(quantity('20')) == quantity('50.02k') && quantity('50k').sub(20) == quantity('49980')
quantity('50k').add(20).sub(quantity('100k')).sub(-50000).asInteger() == 20
!quantity('9999999999999999999999999999999999999G').isInteger() && quantity('50').isInteger()
quantity('50.703k').asApproximateFloat() == 50703.0
isIP('192.168.0.1') && !isIP('192.168.0.1.0') && isIP('2001:db8::68') && !isIP('2001:db8:::68')
ip.isCanonical('127.0.0.1') && ip.isCanonical('2001:db8::68') && !ip.isCanonical('2001:DB8::68')
ip('192.168.0.1').family() == 4 && ip('2001:db8::68').family() == 6
ip('0.0.0.0').isUnspecified() && !ip('127.0.0.1').isUnspecified() && ip('::').isUnspecified()
ip('127.0.0.1').isLoopback() && !ip('1.2.3.4').isLoopback() && ip('::1').isLoopback()
ip('224.0.0.1').isLinkLocalMulticast() && !ip('224.0.1.1').isLinkLocalMulticast()
ip('ff02::1').isLinkLocalMulticast() && !ip('fd00::1').isLinkLocalMulticast()
ip('169.254.169.254').isLinkLocalUnicast() && !ip('192.168.0.1').isLinkLocalUnicast()
ip('fe80::1').isLinkLocalUnicast() && !ip('fd80::1').isLinkLocalUnicast() && !ip('ff00::1').isGlobalUnicast()
ip('192.168.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast()
ip('2001:db8::abcd').isGlobalUnicast() && string(ip('192.168.0.1')) == '192.168.0.1' && type(ip('::1')) == net.IP
cidr('192.168.0.0/24').containsIP(ip('192.168.0.1')) && !cidr('192.168.0.0/24').containsIP('192.168.1.1')
cidr('192.168.0.0/24').containsCIDR('192.168.0.0/25') && !cidr('192.168.0.0/24').containsCIDR(cidr('192.168.0.0/23'))
cidr('2001:db8::/32').containsCIDR(cidr('2001:db8::/33')) && !cidr('2001:db8::/32').containsIP('2001:dc8::1')
cidr('192.168.0.1/24').masked() == cidr('192.168.0.0/24') && cidr('192.168.0.0/24').ip() == ip('192.168.0.0')
cidr('2001:db8:1::/32').masked() == cidr('2001:db8::/32') && cidr('2001:db8::/32').prefixLength() == 32
string(cidr('192.168.0.0/24')) == '192.168.0.0/24' && type(cidr('192.168.0.0/24')) == net.CIDR
isSemver('1.2.3-beta.1+build.1') && !isSemver('') && !isSemver('v1.0.0') && !isSemver(' 1.0.0') && !isSemver('1. 0.0')
!isSemver('1.0.0 ') && !isSemver('01.01.01') && !isSemver('1') && !isSemver('1.1') && !isSemver('', true)
!isSemver(' 1.0.0', true) && !isSemver('1. 0.0', true) && !isSemver('1.0.0 ', true) && isSemver('v1.0.0', true)
isSemver('01.01.01', true) && isSemver('1', true) && isSemver('1.1', true)
semver('v01.01', true) == semver('1.1.0') && semver('1.0.0').isLessThan(semver('1.2.3'))
semver('1.2.3').compareTo(semver('1.0.0')) == 1 && semver('1.2.3').major() == 1 && semver('1.2.3').patch() == 3
!format.dns1123LabelPrefix().validate('my-label-prefix-').hasValue() && !format.byte().validate('aGVsbG8=').hasValue()
!format.dns1123SubdomainPrefix().validate('mysubdomain.prefix.-').hasValue()
!format.uri().validate('http://example.com').hasValue() && !format.date().validate('2021-01-01').hasValue()
!format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()
!format.datetime().validate('2021-01-01T00:00:00Z').hasValue() && !format.named('unknown').hasValue()
format.byte().validate('aGVsbG8').value() == ['invalid base64']
format.date().validate('2020-01-32').value() == ['invalid date']
format.datetime().validate('2020-01-32T00:00:00Z').value() == ['invalid datetime']
"""

FAILS = [
    ("quantity('10Mo')", "quantities must match the regular expression"),
    ("quantity('10Mm')", "unable to parse quantity's suffix"),
    ("quantity('9999999999999999999999999999999999999G').asInteger()", "cannot convert value to integer"),
    (
        "ip('192.168.0.1.0')",
        'IP Address "192.168.0.1.0" parse error during conversion from string: ParseAddr("192.168.0.1.0"): '
        "IPv4 address too long",
    ),
    (
        "cidr('192.168.0.0/')",
        "network address parse error during conversion from string: network address parse error during conversion from "
        'string: netip.ParsePrefix("192.168.0.0/"): bad bits after slash: ""',
    ),
    ("semver('v1.0')", "No Major.Minor.Patch elements found"),
]
NO_OVERLOAD = ["isQuantity([1, 2, 3])", "isIP(cidr('192.168.0.0/24'))", "cidr(192168)", "isSemver([1, 2, 3])"]


@pytest.mark.parametrize("expression", HOLDS.strip().splitlines())
def test_holds(expression):
    assert ENVIRONMENT.compile(expression).evaluate({})[::2] == (True, None)


@pytest.mark.parametrize("name", FORMATS)
def test_formats_have_names(name):
    expression = f"format.named('{name}').value() == format.{name}()"
    assert ENVIRONMENT.compile(expression).evaluate({}).value is True


@pytest.mark.parametrize(("expression", "message"), FAILS)
def test_fails(expression, message):
    assert message in str(ENVIRONMENT.compile(expression, "dyn").evaluate({}).error)


@pytest.mark.parametrize("expression", NO_OVERLOAD)
def test_is_refused(expression):
    with pytest.raises(ValueError, match="found no matching overload for"):
        ENVIRONMENT.compile(expression)
