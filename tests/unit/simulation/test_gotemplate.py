"""Go's templates: what they say, and what they say when something is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from steersman.simulation.gotemplate import Template, TemplateError

DATA: dict[str, Any] = {
    "name": "web",
    "empty": "",
    "zero": 0,
    "count": 3,
    "ratio": 1.5,
    "yes": True,
    "list": ["a", "b", "c"],
    "none": [],
    "map": {"b": 2, "a": 1},
    "deep": {"er": {"est": "x"}},
    "items": [{"name": "p", "n": 1}, {"name": "q", "n": 2}],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Text, and space that goes
        ("plain", "plain"),
        ("a {{ .name }} b", "a web b"),
        ("a {{- .name -}} b", "awebb"),
        ("a \n{{-   /* a comment */ -}}\n b", "ab"),
        ("a{{/* a\ncomment */}}b", "ab"),
        ("{{3 -}} b", "3b"),
        # Constants
        ('{{"a\\t\\"b\\""}}{{`raw \\n`}}', 'a\t"b"raw \\n'),
        ("{{1}} {{-2}} {{0x1f}} {{1.50}} {{1e3}} {{1_000}} {{'a'}} {{true}}", "1 -2 31 1.5 1000 1000 97 true"),
        # Members
        ("{{.deep.er.est}}", "x"),
        ("{{.missing}}", "<no value>"),
        ("{{(index .items 1).name}}", "q"),
        ("{{$.name}}{{with .deep}}{{$.name}}{{.er.est}}{{end}}", "webwebx"),
        # How values print
        ("{{.list}} {{.map}} {{.yes}} {{.ratio}} {{.count}}", "[a b c] map[a:1 b:2] true 1.5 3"),
        ("{{1e21}} {{1e20}} {{1e-5}} {{0.0001}} {{1.0}}", "1e+21 100000000000000000000 1e-05 0.0001 1"),
        # Variables
        ("{{$x := 1}}{{$x}}{{$x = 2}}{{$x}}", "12"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{$x := 3}}{{$x}}{{end}}{{$x}}", "32"),
        ("{{range $i, $e := .list}}{{$i}}{{$e}}{{end}}", "0a1b2c"),
        ("{{range $e := .list}}{{$e}}{{end}}", "abc"),
        ("{{$found := 0}}{{range .items}}{{if eq .name `q`}}{{$found = .n}}{{end}}{{end}}{{$found}}", "2"),
        ("{{with $x := .name}}{{$x}}{{end}}", "web"),
        # Branches
        ("{{if .empty}}a{{else if .zero}}b{{else if .name}}c{{else}}d{{end}}", "c"),
        ("{{if .none}}a{{else}}b{{end}}{{if .map}}c{{end}}", "bc"),
        ("{{with .empty}}a{{else with .name}}{{.}}{{end}}", "web"),
        ("{{with .missing}}a{{else}}{{.name}}{{end}}", "web"),
        # Loops
        ("{{range .none}}a{{else}}nothing{{end}}", "nothing"),
        ("{{range .missing}}a{{else}}nothing{{end}}", "nothing"),
        ("{{range $k, $v := .map}}{{$k}}={{$v}};{{end}}", "a=1;b=2;"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{range .list}}{{if eq . `b`}}{{break}}{{end}}{{.}}{{end}}", "a"),
        ("{{range .list}}{{if eq . `b`}}{{continue}}{{end}}{{.}}{{end}}", "ac"),
        # Templates in templates
        ("{{define `t`}}<{{.}}>{{end}}{{template `t` .name}}{{template `t`}}", "<web><<no value>>"),
        ("{{block `b` .deep}}{{.er.est}}{{end}}", "x"),
        ('{{define "c"}}{{.root.name}}{{.item}}{{end}}{{range .list}}{{template "c" dict "item" . "root" $}}{{end}}',
         "webawebbwebc"),
        # Pipelines
        ("{{.name | printf `%s-%d` | len}}", "16"),
        ("{{.name | printf `%s-%s` `x`}}", "x-web"),
        ("{{printf `%s` (print 1 2 `a` `b` 3)}}", "1 2ab3"),
        ("{{(1 | add 2) | mul 3}}", "9"),
        # Logic
        ("{{and 1 0 (index .list 9)}}{{or 0 `x` (index .list 9)}}{{not .empty}}", "0xtrue"),
        ("{{eq .count 1 2 3}} {{ne .name `web`}} {{lt 1 2.5}} {{le `a` `a`}} {{gt 2 1}} {{ge 1 2}}",
         "true false true true true false"),
        ("{{eq .missing `x`}}{{eq .missing .missing}}", "falsetrue"),
        # Go's own functions
        ("{{len .name}}{{len .list}}{{len .map}}{{len `ö`}}", "3322"),
        ("{{index .map `a`}}{{index .map `z`}}{{index .items 0 `name`}}", "1<no value>p"),
        ("{{slice .name 1}}{{slice .name 0 1}}{{slice .list 1 2}}", "ebw[b]"),
        ("{{printf `%5d|%-5s|%05d|%x|%q|%v|%t|%.2f|%%|%c` 42 `a` 7 255 `q` .list true 1.0 65}}",
         '   42|a    |00007|ff|"q"|[a b c]|true|1.00|%|A'),
        ("{{printf `%d` `x`}}{{printf `%s`}}{{printf `a` 1}}", "%!d(string=x)%!s(MISSING)a%!(EXTRA int=1)"),
        ("{{println 1 `a`}}{{html `<a>&\"`}}{{urlquery `a b&`}}", "1 a\n&lt;a&gt;&amp;&#34;a+b%26"),
        # sprig
        ("{{default `d` .empty}}{{default `d` .name}}{{.missing | default 5}}", "dweb5"),
        ("{{coalesce .empty 0 .name}}{{ternary 1 2 .yes}}{{empty .none}}", "web1true"),
        ("{{upper .name}}{{.name | trunc 2}}{{trunc -2 .name}}{{title `a b`}}{{repeat 2 `x`}}", "WEBweebA Bxx"),
        ("{{trimSuffix `b` .name}}{{replace `e` `3` .name}}{{contains `e` .name}}", "wew3btrue"),
        ("{{join `,` .list}}{{splitList `-` `a-b`}}{{(split `-` `a-b`)._1}}", "a,b,c[a b]b"),
        ("{{quote 1 .name}}{{squote .name}}{{`a\nb` | indent 2}}{{`a` | nindent 1}}", '"1" "web"\'web\'  a\n  b\n a'),
        ("{{add 1 2 3}} {{add1 .missing}} {{sub 3 1}} {{mul 2 3}} {{div 7 2}} {{div -7 2}} {{mod 7 2}} {{max 1 3 2}}",
         "6 1 2 6 3 -3 1 3"),
        ("{{int `12`}} {{int 3.9}} {{float64 `1.5`}} {{round 1.255 1}} {{ceil 1.1}} {{floor 1.9}}", "12 3 1.5 1.3 2 1"),
        ("{{until 3}}{{untilStep 0 6 2}}{{range until 2}}x{{end}}", "[0 1 2][0 2 4]xx"),
        ("{{list 1 2 | first}}{{last .list}}{{rest .list}}{{append .list `d` | len}}{{has `a` .list}}", "1c[b c]4true"),
        ("{{$d := dict `a` 1}}{{$_ := set $d `b` 2}}{{$d}}{{hasKey $d `b`}}{{get $d `c`}}{{keys .map | sortAlpha}}",
         "map[a:1 b:2]true[a b]"),
        ("{{merge (dict `a` 1) (dict `a` 2 `b` 3)}}{{dig `er` `est` `?` .deep}}{{dig `no` `?` .deep}}",
         "map[a:1 b:3]x?"),
        ("{{toJson .map}}{{(fromJson `[1]`)}}{{b64enc `a`}}{{b64dec `YQ==`}}", '{"a":1,"b":2}[1]YQ==a'),
        ("{{regexMatch `^w` .name}}{{regexReplaceAll `(e)` .name `<${1}>`}}", "truew<e>b"),
        ("{{kindOf .list}}{{kindIs `string` .name}}{{uniq (list 1 1 2)}}{{concat .list (list 1)}}",
         "slicetrue[1 2][a b c 1]"),
        ("{{sha256sum `a` | trunc 6}}{{adler32sum `a`}} {{sha512sum `a` | trunc 4}} {{b32enc `a` | b32dec}}",
         "ca97816422626 1f40 a"),
        ("{{date `2006-01-02` `2026-11-21T13:00:00Z`}} {{dateInZone `15:04` `2026-11-21T13:00:00Z` `Asia/Tokyo`}}",
         "2026-11-21 22:00"),
        ("{{dateModify `-1h30m` `2026-11-21T13:00:00Z`}} {{unixEpoch `1970-01-02T00:00:00Z`}} {{htmlDate 0}}",
         "2026-11-21T11:30:00Z 86400 1970-01-01"),
        ("{{dateInZone `2006-01-02T15:04:05Z07:00` `2026-11-21T13:00:00Z` `Asia/Tokyo`}}", "2026-11-21T22:00:00+09:00"),
        ("{{date `2006-01-02T15:04:05Z07:00` 0}} {{date `-0700 -07:00` 0}}", "1970-01-01T00:00:00Z +0000 +00:00"),
        ("{{dateInZone `Mon Jan _2 3:4:5 PM MST, Month 1, 99%` `2026-11-05T04:06:07Z` `Asia/Tokyo`}}",
         "Thu Nov  5 1:6:7 PM JST, Month 11, 99%"),
        ("{{toDate `2006-01-02T15:04:05Z07:00` `2026-11-21T13:00:00+02:00`}}", "2026-11-21T11:00:00Z"),
        ("{{durationRound `1h`}} {{durationRound `1h1s`}} {{div -7 2}} {{mod -7 2}} {{mod 9007199254740993 10}}",
         "60m 1h -3 -1 3"),
        ("{{toDate `2006-01-02` `2017-12-31`}} {{duration 3695}} {{duration 95}} {{durationRound `49h`}}",
         "2017-12-31T00:00:00Z 1h1m35s 1m35s 2d"),
        ("{{regexFindAll `[0-9]` `a1b2c3` 2}}{{regexSplit `,` `a,b,c` 2}}{{regexSplit `,` `a,b` -1}}",
         "[1 2][a b,c][a b]"),
        ("{{regexQuoteMeta `1.2[3]`}} {{regexReplaceAllLiteral `a` `aba` `$1`}}", "1\\.2\\[3\\] $1b$1"),
        ("{{(splitn `.` 2 `a.b.c`)._1}} {{chunk 2 .list}} {{abbrev 5 `abcdefg`}} {{initials `Ab Cd`}}",
         "b.c [[a b] [c]] ab... AC"),
        ("{{wrapWith 3 `|` `abcdef`}} {{plural `pod` `pods` 2}} {{swapcase `aB`}} {{add1f 1.5}} {{maxf 1 2.5}}",
         "abc|def pods Ab 2.5 2.5"),
        ("{{base `/a/b.c`}} {{dir `/a/b.c`}} {{ext `/a/b.c`}} {{clean `/a/../b`}} {{isAbs `/a`}}", "b.c /a .c /b true"),
        ("{{mustToJson .list}} {{mustFirst .list}} {{deepEqual .list (list `a` `b` `c`)}} {{toDecimal `777`}}",
         '["a","b","c"] a true 511'),
        # Numbers, as kwok reads them
        ("{{len (printf `x%*s` .count.Int64 `x`)}} {{.count.Float64}} {{.ratio.String}}", "4 3 1.5"),
    ],
)  # fmt: skip
def test_what_templates_say(text: str, expected: str) -> None:
    assert Template("t", text).execute(DATA) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{{foo}}", 't:2: function "foo" not defined'),
        ("{{$x}}", 't:1: undefined variable "$x"'),
        ("{{if true}}{{$x := 1}}{{end}}{{$x}}", 'undefined variable "$x"'),
        ("{{if true}}", "unexpected EOF in if"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{else}}", "unexpected {{else}}"),
        ("{{", "unclosed action"),
        ('{{"a}}', "unterminated quoted string"),
        ("{{if}}x{{end}}", "missing value for if"),
        ("{{.a | 3}}", "non executable command in pipeline"),
        ("{{.a .b}}", "can't give argument to what is no function"),
        ("{{(1}}", "unclosed left paren"),
        ("{{break}}", "{{break}} outside {{range}}"),
        ("{{range .a}}{{define `x`}}{{continue}}{{end}}{{end}}", "{{continue}} outside {{range}}"),
        ("{{define `a`}}x{{.}}{{end}}{{define `a`}}y{{end}}", 'multiple definition of template "a"'),
        ("{{. ! b}}", "unexpected '!' in command"),
    ],
)
def test_what_is_no_template(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template("t", text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("template: t:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{.missing.x}}", "t:1: nil pointer evaluating interface {}.x"),
        ("{{.name.x}}", "can't evaluate field x in type string"),
        ("{{range .name}}{{end}}", "range can't iterate over web"),
        ("{{template `none`}}", 'template "none" not defined'),
        ("{{define `r`}}{{template `r`}}{{end}}{{template `r`}}", "exceeded maximum template depth"),
        ("{{index .list 3}}", "error calling index: index out of range: 3"),
        ("{{index .missing 1}}", "error calling index: index of untyped nil"),
        ("{{eq .name 1}}", "error calling eq: incompatible types for comparison"),
        ("{{eq .list .list}}", "non-comparable type"),
        ("{{lt .yes true}}", "invalid type for comparison"),
        ("{{len 3}}", "error calling len: len of type int"),
        ("{{len}}", "wrong number of args for len"),
        ("{{div 1 0}}", "error calling div"),
        ("{{fail `no`}}", "error calling fail: no"),
        ("{{required `name it` .empty}}", "name it"),
    ],
)
def test_what_goes_wrong(text: str, message: str) -> None:
    template = Template("t", text)
    with pytest.raises(TemplateError) as caught:
        template.execute(DATA)
    assert message in str(caught.value)


def test_contextual_functions_know_what_they_are_executed_for() -> None:
    template = Template("t", "{{Twice .name}}{{.name | Twice}}", {"Twice": lambda context, text: context + text * 2})
    assert template.execute(DATA, ">") == ">webweb>webweb"
