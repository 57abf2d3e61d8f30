"""Writes cases.json: templates, variables, and what Jinja2 makes of them (or that it refuses).

The environment is the one of transformers.utils.chat_template_utils: ImmutableSandboxedEnvironment with
trim_blocks and lstrip_blocks, loop controls, AssistantTracker, its tojson. Needs jinja2 and transformers:

    python make_vectors.py
"""

import json
import pathlib

from transformers.utils.chat_template_utils import _compile_jinja_template, _render_with_assistant_indices

HERE = pathlib.Path(__file__).parent
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a <town> & \"more\"",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
            "required": ["town"],
        },
    },
}
VARIABLES = {
    "messages": [
        {"role": "system", "content": "  Be brief.\n"},
        {"role": "user", "content": "Where is Köln?"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nOn the Rhine."},
        {"role": "user", "content": "And it's \"big\"?"},
    ],
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "tools": None,
    "xs": [3, 1, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "d": {"b": 1, "a": [True, None, 2.5], "c": {"x": "y"}},
    "people": [{"name": "Ann", "age": 30}, {"name": "bob", "age": 4}, {"name": "Cy", "age": 30}],
    "text": "  Grüße, Straße 'x'\n\tend  ",
    "f": 3.0,
    "n": None,
}

EXPRESSIONS = """
1 + 2 * 3 - 4 // 3 % 2
7 / 2
-7 // 2 ~ ' ' ~ -7 % 3 ~ ' ' ~ 7 % -3
2 ** 10 ~ ' ' ~ 2 ** -1 ~ ' ' ~ 2.0 ** 3
-2 ** 2
2 ** 3 ** 2
1_000 + 0x1F + 0b101 + 0o17
1.5e3 ~ ' ' ~ 1e-7 ~ ' ' ~ 1e16 ~ ' ' ~ 123456789.125 ~ ' ' ~ 1e22
1 < 2 < 3
1 < 3 < 2
1 == 1.0 == true
'a' < 'b'
[1, 2] < [1, 3]
1 if true else 2
(1 if false) is undefined
1 if false else 2 if false else 3
'x' 'y' "z"
'a\\n\\t\\'\\"\\\\ \\x41 \\u00e9 \\101 \\q'
not true or true and not false
none or 'other'
0 and boom()
[] or {} or ''
'b' in 'abc' and 2 in [1, 2] and 'b' in d
'z' not in 'abc'
(3 in (1, 2), 4 not in (4,))
xs[0] ~ xs[-1] ~ xs[1:] ~ xs[:-1] ~ xs[::-1] ~ xs[5:] ~ xs[::2] ~ xs[-2:10]
text[2:6] ~ '|' ~ text[::-1][0:3] ~ '|' ~ text[-3]
(1, 2, 3)[1:]
xs[10] is defined
xs[10] ~ 'nothing' ~ n.foo ~ text.foo ~ d.foo ~ d['foo']
d.b ~ d['b'] ~ d.c.x ~ d.get('z', 5) ~ d.get('z')
d.items() | list
d.keys() | list ~ d.values() | list
d
[1, 'it\\'s', "q\\"", 'both\\'"', none, true, 1.0, (1,), (), {'k': [1]}]
'é\\u200b\\n' ~ ['é\\u200b\\n\\x01']
messages[0].content | trim
messages[0]['content'].strip() ~ '|' ~ messages[0].content.lstrip() ~ '|' ~ messages[0].content.rstrip()
'xxaxx'.strip('x') ~ 'abcba'.lstrip('ab') ~ 'xay'|trim('xy')
'a,b,,c'.split(',') ~ ' a  b c '.split() ~ 'a,b,c'.split(',', 1) ~ 'a,b,c'.rsplit(',', 1)
' a b  c d '.split(none, 2)
'a b  c d '.rsplit(none, 2)
'a\\nb\\r\\nc'.splitlines() ~ 'a\\nb'.splitlines(true)
text.upper() ~ text.lower() ~ text.title()
text | upper ~ text | lower
'hello wORLD-foo (bar' | title ~ '|' ~ 'hELLO wORLD' | capitalize ~ '|' ~ "they're bill's".title()
'abc'.startswith('ab') ~ 'abc'.endswith(('x', 'c')) ~ 'abc'.startswith('b')
'aaa'.replace('a', 'b', 2) ~ 'aaa' | replace('a', 'b') ~ 'ab'.replace('', '-')
'abcabc'.find('c') ~ 'abcabc'.rfind('c') ~ 'abc'.find('z') ~ 'abab'.count('ab') ~ 'éa'.find('a')
'12'.isdigit() ~ ''.isdigit() ~ 'a1'.isalnum() ~ 'ab'.isalpha() ~ ' '.isspace() ~ 'AB'.isupper() ~ 'aB'.islower()
','.join(['a', 'b']) ~ 'prefix-x'.removeprefix('prefix-') ~ 'x.y'.removesuffix('.y')
'éàü' | length ~ d | length ~ xs | count ~ undefined_thing | length
xs | join(',') ~ people | join('; ', attribute='name') ~ undefined_thing | join
undefined_thing | default('x') ~ '' | default('y') ~ '' | default('z', true) ~ n | d('w', boolean=true)
undefined_thing ~ 'a'
undefined_thing is defined
undefined_thing == other_undefined
'a' in undefined_thing
d | tojson
d | tojson(indent=2)
d | tojson(indent=0)
{} | tojson(indent=2) ~ [] | tojson(indent=4)
d | tojson(sort_keys=true, separators=(',', ':'))
['é\\u2028"\\\\\\n\\x01\\x7f😀/<>&\\''] | tojson
['é😀\\x7f'] | tojson(ensure_ascii=true)
[1.0, 1e100, 0.1, -0.0] | tojson
(1, 2) | tojson
xs | first ~ xs | last ~ [] | first ~ 'abc' | first ~ 'abc' | last
'abc' | list ~ d | list ~ (1, 2) | list
none | string ~ true | string ~ 1.0 | string
'12' | int + 1
'12.7' | int ~ 'x' | int ~ 'x' | int(default=7) ~ '0x1f' | int(base=16) ~ 3.9 | int ~ ' 5 ' | int ~ true | int
'1.5' | float ~ 'x' | float ~ 2 | float ~ '1e3' | float
2.675 | round(2) ~ ' ' ~ 2.5 | round ~ ' ' ~ 3.5 | round ~ ' ' ~ 42.55 | round(1, 'floor') ~ ' ' ~ 42.51 | round(1, 'ceil') ~ ' ' ~ 5 | round
-3 | abs
(-3) | abs ~ (-2.5) | abs
xs | sum ~ people | sum(attribute='age') ~ xs | sum(start=10)
xs | min ~ xs | max ~ words | min ~ words | max ~ people | map(attribute='age') | max
xs | sort ~ xs | sort(reverse=true) ~ words | sort ~ words | sort(case_sensitive=true)
people | sort(attribute='age') | map(attribute='name') | list
people | sort(attribute='age', reverse=true) | map(attribute='name') | list
xs | reverse | list ~ 'abc' | reverse
words | unique | list ~ words | unique(true) | list ~ people | unique(attribute='age') | map(attribute='name') | list
words | map('upper') | list ~ people | map(attribute='name') | join(',') ~ xs | map('string') | list
people | map(attribute='zip', default='none') | list
words | map('replace', 'p', 'P') | list
people | selectattr('age', 'gt', 5) | map(attribute='name') | list ~ people | selectattr('name') | list | length
people | rejectattr('age', 'equalto', 30) | list
messages | selectattr('role', '==', 'user') | list | length
xs | select('odd') | list ~ xs | reject('odd') | list ~ [0, 1, ''] | select | list ~ xs | select('in', [1, 2]) | list
people | map(attribute='name') | first
d | dictsort ~ {'b': 2, 'A': 3, 'c': 1} | dictsort(by='value') ~ {'b': 2, 'A': 3} | dictsort(reverse=true) ~ {'b': 2, 'A': 3} | dictsort(true)
d | items | list ~ undefined_thing | items | list
'a\\n\\nb' | indent ~ '|' ~ 'a\\nb' | indent(2, true) ~ '|' ~ 'a\\n\\nb' | indent('> ', blank=true)
'<a href="x">&\\'' | e
'<x>' | safe ~ '<' ~ 1
('<' | safe) + '<' + '&'
('<' | e) ~ '<' | e
'a<' ~ ('<b>' | safe | trim | upper) ~ ('c' | string)
'a.b' | replace('.', '') | upper | length
(xs | map('string')) and 'generators are true'
(xs | select('gt', 100)) and 'even empty ones'
1 is number ~ true is number ~ 1 is integer ~ true is integer ~ 1.0 is float ~ 'a' is number ~ true is boolean ~ 1 is boolean
'a' is string ~ n is string ~ undefined_thing is string
n is none ~ undefined_thing is none ~ n is not none
d is mapping ~ xs is mapping ~ xs is sequence ~ 'a' is sequence ~ d is sequence ~ 1 is sequence ~ xs is iterable ~ 1 is iterable ~ undefined_thing is iterable
(xs | map('string')) is sequence
true is true ~ 1 is true ~ false is false ~ 0 is false
2 is even ~ 3 is odd ~ 9 is divisibleby 3 ~ 9 is divisibleby(2)
1 is eq 1 ~ 1 is equalto(2) ~ 1 is ne 2 ~ 1 is lt 2 ~ 1 is ge 2 ~ 2 is greaterthan 1 ~ 1 is in [1]
'ABC' is upper ~ 'abc' is lower ~ 'aB' is lower ~ '1' is upper
d is callable ~ range is callable
not d is defined
1 is defined and 2
range(3) | list ~ range(1, 7, 2) | list ~ range(3, 0, -1) | list
dict(a=1, b='x') ~ dict({'a': 2}, c=3)
namespace(a=1).a
([1, 2] + [3]) ~ ((1,) + (2,)) ~ [0] * 3 ~ 'ab' * 2 ~ 2 * 'x'
{'a': 1, 'a': 2}
{'a': 1,}['a'] ~ [1, 2,] ~ (1, 2,)
true and 1 ~ 2
f ~ f | int ~ f == 3
1, 2
messages[1:][0].role ~ messages[::-1][0].role
(messages | last).content
xs.0
'%s' in 'a%sb'
loop is defined
'%s=%d %%' % ('a', 3.7) ~ 'x%s' | format(n)
n | selectattr('x') | list ~ n | map('upper') | list
words.index('fig') ~ words.count('fig')
1 - -1
+2 ~ -2
'a' ~ 1 ~ none ~ true ~ 1.5 ~ [1]
-5 | abs
xs|length > 2 and xs|length is odd
'abc' | upper | lower in 'abcd'
""".strip().split("\n")

WHITESPACE = [
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
    "a  {%- if true -%}  b  {%- endif -%}  c",
    "  {{ 1 }}  \n{{- 2 -}}\n  3",
    "  {%+ if true %}x{% endif +%}\ny",
    "{# c #}\na {#- b -#} \n b\n   {# d #}\nx{#+ #}",
    "x\n\n{% set a = 1 %}\n\n{{ a }}\n\n",
    "\r\na\rb\r\n{% if true %}\r\nc{% endif %}",
    "a\n{% raw %}\n{{ x }} {% y %}\n{% endraw %}\nb",
    "a {%- raw -%}  {{ x }}  {%- endraw -%}  b",
    "    {% raw %}   {{ x }}   {% endraw %}\n z",
    "{% for x in xs %}\n  - {{ x }}\n{% endfor %}\nend",
    "{%- for x in xs %}\n\t{{ x }}\n{%- endfor %}\n",
    "{{ '}}' }}{{ {'a': {'b': 1}}.a.b }}{{ '{%' }}",
    "x {{ 1 }}\n   {{ 2 }}",
    "one {% if true %} two {% endif %} three\n",
    "{ { } } {x} #} %}",
    "{{+1}}",
    "{% set x = '''' %}{{ x }}|",
    "a\u00a0{%- if true %}b{% endif -%}\u2003c",
    "{% if true %}{# x #}{% endif %}\n\n",
    "{%if true%}a{%endif%}{{1}}",
]

STATEMENTS = [
    "{% for m in messages %}{{ loop.index }}/{{ loop.length }} {{ loop.index0 }} {{ loop.revindex }} {{ loop.revindex0 }} "
    "{{ loop.first }} {{ loop.last }} {{ loop.previtem.role if not loop.first }} {{ loop.nextitem.role if loop.nextitem is defined }} "
    "{{ loop.cycle('a', 'b') }} {{ loop.depth }}\n{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}",
    "{% for (a, b) in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}",
    "{% for x in xs if x > 1 %}{{ loop.index }}:{{ x }} {% else %}none{% endfor %}",
    "{% for x in xs if x > 9 %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in [] %}{% else %}empty{% endfor %}{% for x in undefined_thing %}{{ x }}{% else %}e2{% endfor %}",
    "{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for c in 'né' %}[{{ c }}]{% endfor %}",
    "{% set x = 0 %}{% for i in xs %}{{ x }}{% set x = i %}{% endfor %}{{ x }}",
    "{% for i in xs %}{{ y }}{% set y = i %}{{ y }}{% endfor %}|{{ y }}",
    "{% set ns = namespace(n=0, found=false) %}{% for i in xs %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{{ ns.found }}{{ ns.missing }}",
    "{% set a, b = 1, 'x' %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}",
    "{% set block %}  in {{ xs[0] }}\n{% endset %}[{{ block }}]{% set b | trim | upper %} y {% endset %}[{{ b }}]",
    "{% if xs | length == 3 %}three{% elif true %}other{% else %}no{% endif %}",
    "{% if false %}a{% elif n %}b{% else %}c{% endif %}",
    "{% if n is none %}{% set z = 1 %}{% endif %}{{ z }}",
    "{% macro hello(name, mark='!', n=1) %}Hi {{ name }}{{ mark * n }}{% endmacro %}{{ hello('A') }} {{ hello('B', n=2) }} {{ hello(name='C', mark='?') }}",
    "{% macro f(a) %}[{{ a }}{{ a is defined }}]{% endmacro %}{{ f() }}",
    "{% macro tree(x) %}{% if x is mapping %}{{ '{' }}{% for k, v in x.items() %}{{ k }}:{{ tree(v) }},{% endfor %}{{ '}' }}"
    "{% elif x is string %}'{{ x }}'{% elif x is iterable %}[{% for i in x %}{{ tree(i) }} {% endfor %}]{% else %}{{ x }}{% endif %}{% endmacro %}{{ tree(d) }}",
    "{% set v = 1 %}{% macro m() %}{{ v }}{% endmacro %}{% set v = 2 %}{{ m() }}",
    "{% macro m(x, y=x) %}{{ y }}{% endmacro %}{{ m(3) }}",
    "{% macro m(x) %}{% set x = x + 1 %}{{ x }}{% endmacro %}{% set x = 5 %}{{ m(1) }}{{ x }}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% set a = 5 %}{{ a }}{% endwith %}{{ a }}",
    "{% filter upper | replace('A', 'b') %}abc{{ xs }}{% endfilter %}",
    "{% for x in xs %}{% for y in xs %}{{ loop.depth }}{{ x * y }} {% endfor %}{% set outer = loop %}{{ outer.index }}{% endfor %}",
    "{% for x in xs %}{% set l = loop %}{% for y in [1] %}{{ l.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% set g = xs | map('string') %}{% for i in g %}{{ i }}{% endfor %}|{% for i in g %}{{ i }}{% endfor %}",
    "x{% generation %}é{{ 1 }}{% endgeneration %}b{% generation %}{% endgeneration %}",
    "{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}"
    "{% else %}{{ m.content }}{% endif %}\n{% endfor %}",
    "{% set ns = namespace() %}{% set ns.a = [1] %}{% set ns.a = ns.a + [2] %}{{ ns.a }}",
    "{% for x in [[1, [2, 3]]] %}{{ x[1][0] }}{% endfor %}",
    "{% for k, v in d | dictsort %}{{ k }}{% endfor %}{% for k, v in d | items %}{{ k }}{% endfor %}",
    "{% for x in xs | reverse %}{{ x }}{{ ',' if not loop.last }}{% endfor %}",
    "{% set role = messages[1]['role'] %}{{ role == 'user' and not n }}",
    "{% set x %}{% for i in xs %}{{ i }}{% endfor %}{% endset %}{{ x | length }}",
    "{% if messages[0].role == 'system' %}{% set loop_messages = messages[1:] %}{% set sys = messages[0].content %}{% else %}"
    "{% set loop_messages = messages %}{% endif %}{{ loop_messages | length }}{{ sys }}",
    "{% for m in messages %}{% if loop.index0 == 0 and m.role == 'system' %}{% continue %}{% endif %}{{ m.role[0] }}{% endfor %}",
    "{% set a = [] %}{% for x in xs %}{% set a = a + [x] %}{% endfor %}{{ a }}",
    "{%- macro a() -%}  x  {%- endmacro -%}[{{ a() ~ a() }}]",
    "{{ messages | map(attribute='role') | join(' ') }}",
    "{% for i in range(3) %}{{ loop.nextitem }}{{ loop.previtem is defined }}{% endfor %}",
    "{% for m in messages | rejectattr('role', 'eq', 'system') %}{{ loop.last }}{% endfor %}",
    "{% if 'a' %}{% if '' %}x{% else %}{% for i in [1] %}{{ i }}{% endfor %}{% endif %}{% endif %}",
    "{% if false %}{{ 'x' | no_such_filter }}{% endif %}ok",
]

ERRORS = [
    "{% if x %}", "{% for x in xs %}a", "{% endif %}", "{% if x %}{% endfor %}", "{{ 1", "{% if", "{{ 'abc }}", "{# open",
    "{% raw %} x", "{{ x | no_such_filter }}", "{{ x is no_such_test }}", "{% no_such_tag %}", "{{ 1 + }}", "{{ (1, 2 }}",
    "{{ [1, 2 }}", "{{ ) }}", "{{ a b }}", "{{ 1 if }}", "{% set 1 = 2 %}", "{% set true = 2 %}", "{% set x.y = 1 %}", "{% for in xs %}{% endfor %}",
    "{{ raise_exception('no: ' ~ xs) }}", "{{ missing.attribute }}", "{{ missing['x'] }}", "{{ missing() }}", "{{ missing + 1 }}",
    "{{ 1 + 'a' }}", "{{ 'a' + 1 }}", "{{ none + 1 }}", "{{ [] + () }}", "{{ 1 < 'a' }}", "{{ n.foo.bar }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1.0 / 0 }}",
    "{{ xs() }}", "{{ 'a'.nope() }}", "{% for x in 3 %}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% set a, b = [1] %}", "{{ xs.append(1) }}", "{{ d.update({}) }}", "{{ d.pop('b') }}", "{{ range(100001) }}", "{{ range(1, 2, 0) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ xs | map('string') | length }}", "{{ xs | first(1) }}", "{{ 'a' is divisibleby }}", "{{ missing | tojson }}", "{{ d | tojson(nope=1) }}",
    "{{ xs | join(',', 'x', 'y') }}", "{{ 'a,b'.split('') }}", "{{ ['a', 1] | sort }}", "{% break %}", "{{ 3 in 3 }}", "{{ 1 in 'a' }}",
    "{{ xs[::0] }}", "{{ missing | int }}", "{{ xs | round }}", "{{ 1 is 2 is 3 }}", "{{ {'a': 1 }}", "{{ 'a' ~ }}", "{{ x. }}",
    "{% else %}", "{% set x %}abc", "{% macro %}{% endmacro %}", "{% generation %}x", "{{ f(a=1, 2) }}", "{{ missing < 1 }}", "{{ -missing }}",
    "{{ '' | replace('a') }}", "{{ '%s %s' % 'a' }}", "{{ '%s' | format(1, 2) }}", "{{ (xs | map('string'))[0].x }}", "{% elif x %}", "{{ 0x }}", "{{ @ }}", "{{ 012 }}",
]


def family(name):
    return (HERE / "templates" / name).read_text()


def conversations():
    user, answer = {"role": "user", "content": "What is 2+2?"}, {"role": "assistant", "content": "It is 4."}
    again = {"role": "user", "content": "  Sure?\n"}
    thought = {"role": "assistant", "content": "<think>\nLet me see.\n</think>\n\nYes."}
    system = {"role": "system", "content": "You are kind."}
    call = {"role": "assistant", "content": "", "tool_calls": [
        {"type": "function", "function": {"name": "get_weather", "arguments": {"town": "Köln", "unit": "C"}}}]}
    result = {"role": "tool", "name": "get_weather", "content": "{\"degrees\": 7}"}
    yield {"messages": [user]}
    yield {"messages": [system, user], "add_generation_prompt": True}
    yield {"messages": [user, answer, again, thought]}
    yield {"messages": [system, user, thought, again], "add_generation_prompt": True}
    yield {"messages": [system, user, call, result, answer], "tools": [TOOL]}
    yield {"messages": [user, user]}


def cases():
    for e in EXPRESSIONS:
        yield "expression", "{{ " + e + " }}", VARIABLES
    for kind, templates in ("whitespace", WHITESPACE), ("statement", STATEMENTS), ("error", ERRORS):
        for t in templates:
            yield kind, t, VARIABLES
    for path in sorted((HERE / "templates").glob("*.jinja")):
        for c in conversations():
            variables = {"bos_token": "<s>", "eos_token": "</s>", "tools": None, "documents": None, "add_generation_prompt": False}
            yield path.stem, path.name, variables | c


def outcome(template, variables):
    try:
        compiled = _compile_jinja_template(template)
        text, spans = _render_with_assistant_indices(
            compiled, variables["messages"], variables["tools"], variables.get("documents"), variables["add_generation_prompt"],
            **{k: v for k, v in variables.items() if k not in ("messages", "tools", "documents", "add_generation_prompt")})
        # spans count code points there, bytes here
        return {"text": text, "spans": [[len(text[:a].encode()), len(text[:b].encode())] for a, b in spans]}
    except Exception as e:
        return {"error": type(e).__name__}


def main():
    out = []
    for kind, template, variables in cases():
        shared = variables is VARIABLES
        case = {"kind": kind, "template" if shared else "file": template}
        if not shared:
            case["variables"] = variables
        case |= outcome(template if shared else family(template), variables)
        if not case.get("spans"):
            case.pop("spans", None)
        if (kind == "error") != ("error" in case) and shared:
            print("look at", json.dumps(case))
        out.append(case)
    (HERE / "cases.json").write_text(json.dumps({"variables": VARIABLES, "cases": out}, indent=0, ensure_ascii=False) + "\n")
    print(len(out), "cases")


main()
