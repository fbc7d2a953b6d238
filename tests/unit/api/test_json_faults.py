"""JSON that is none: what is said of it is what Go's ``encoding/json`` says."""

from __future__ import annotations

import pytest

from steersman.api.json_text import syntax_fault

END = "unexpected end of JSON input"
VALUE = "looking for beginning of value"
PAIR = "after object key:value pair"
ELEMENT = "after array element"
FAULTS = {
    "": END,
    "[": END,
    "[1": END,
    "[1,": END,
    '{"a"': END,
    '{"a":': END,
    '"abc': END,
    "nul": END,
    "-": END,
    "[1.": END,
    "[1e+": END,
    '["\\': END,
    '["\\u1': END,
    "{} x": "invalid character 'x' after top-level value",
    "[,]": f"invalid character ',' {VALUE}",
    "[1,]": f"invalid character ']' {VALUE}",
    "[NaN]": f"invalid character 'N' {VALUE}",
    "[-Infinity]": "invalid character 'I' in numeric literal",
    "[- 1]": "invalid character ' ' in numeric literal",
    "[1 2]": f"invalid character '2' {ELEMENT}",
    "[01]": f"invalid character '1' {ELEMENT}",
    "[[1],[2] 3]": f"invalid character '3' {ELEMENT}",
    '{"a":[1 2]}': f"invalid character '2' {ELEMENT}",
    '[{"a":[1] "b":2}]': f"invalid character '\"' {PAIR}",
    '{"a":{"]":1 "c":2}}': f"invalid character '\"' {PAIR}",
    '{"a":"[" 5}': f"invalid character '5' {PAIR}",
    '{"a":1,}': "invalid character '}' looking for beginning of object key string",
    "{1:2}": "invalid character '1' looking for beginning of object key string",
    '{"a" 1}': "invalid character '1' after object key",
    "[1.]": "invalid character ']' after decimal point in numeric literal",
    "[1.e5]": "invalid character 'e' after decimal point in numeric literal",
    "[1.5.5]": f"invalid character '.' {ELEMENT}",
    "[1e]": "invalid character ']' in exponent of numeric literal",
    "[1e+x]": "invalid character 'x' in exponent of numeric literal",
    "[1e5e5]": f"invalid character 'e' {ELEMENT}",
    "[tru]": "invalid character ']' in literal true (expecting 'e')",
    '{"a":falsy}': "invalid character 'y' in literal false (expecting 'e')",
    '["\\q"]': "invalid character 'q' in string escape code",
    '["\\u12g4"]': r"invalid character 'g' in \u hexadecimal character escape",
    '["a\nb"]': r"invalid character '\n' in string literal",
    "['a']": rf"invalid character '\'' {VALUE}",
    "[1, true, null, -0.5e-3]": "",
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.items())
def test_what_is_said(text: str, fault: str) -> None:
    assert syntax_fault(text) == fault
