// Templates that are broken, or meant to break: an Error that shows the line, no crash and no hang.
#include <doctest/doctest.h>

#include "data/jinja/template.h"
#include "tests/support.h"

namespace lk {
namespace {

std::string error_of(const std::string& text) {
  return test::error_of([&] { jinja::Template(text, "t.jinja").render({}); });
}

void fails(const std::string& text, const std::string& words) {
  const std::string message = error_of(text);
  CAPTURE(text.substr(0, 200));
  CAPTURE(message);
  CHECK(message.find(words) != std::string::npos);
  CHECK(message.size() < 1000);
}

std::string repeated(const std::string& piece, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += piece;
  return out;
}

TEST_CASE("jinja: errors name the template and line, and show the line") {
  fails("a\n\n  {{ x | nope }} b", "t.jinja:3: unknown filter 'nope'\n    {{ x | nope }} b");
  fails("a\n{% if x %}\nb\n", "t.jinja:2: this {% if %} is never closed; expected {% endif %}");
  fails("{% for x in y %}\n{% if x %}{% endfor %}", "t.jinja:2: 'endfor' closes nothing");
  fails("\n{% include 'x' %}", "t.jinja:2: the tag 'include' is not supported");
  fails("{% call f() %}{% endcall %}", "the tag 'call' is not supported");
  fails("{% do x %}", "unknown tag 'do'");
  fails("{% for x in y recursive %}{% endfor %}", "a recursive loop is not supported");
  fails("{{ f(*x) }}", "*args and **kwargs");
  fails("{{ x is nope }}", "unknown test 'is nope'");
  fails("1\n2\n{{ raise_exception('no tools') }}",
        "t.jinja:3: the template refuses this conversation: no tools");
  fails("{{ x.y }}", "'x' is undefined");
  fails("{{ {'a': {}}.a.b.c }}", "'dict object' has no attribute 'b'");
  fails("{% set l = [] %}{{ l.append(1) }}", "the sandbox of transformers forbids");
  fails("{{ 'a'.format }}{{ ''.__class__ }}", "the attribute '__class__'");
  fails("{{ {1: 2} }}", "a key of a dict is a int, expected a str");
  fails("{{ 9223372036854775807 + 1 }}", "beyond 64 bits");
  fails("{{ 9223372036854775808 }}", "does not fit 64 bits");
  fails("{{ (-9223372036854775807 - 1) // -1 }}", "beyond 64 bits");
  fails("\xff\xfe", "t.jinja: not valid UTF-8");
  fails("{{ '\\ud800' }}", "which is no character");
}

TEST_CASE("jinja: what would not end or fit is refused") {
  fails("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deep");
  fails("{% macro a(x=a()) %}{% endmacro %}{{ a() }}", "nested too deep");
  fails("{{ range(1000000000) }}", "range has more than 100000 numbers");
  fails(repeated("{% for i in range(99999) %}", 5) + "x" + repeated("{% endfor %}", 5),
        "too much work");
  fails("{{ 'a' * 9999999999 }}", "beyond 32 MB");
  fails("{{ [0] * 99999999 }}", "grows too long");
  fails(
      "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}"
      "{% endfor %}",
      "beyond 32 MB");
  fails(
      "{% set ns = namespace(l=[1, 1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}"
      "{% endfor %}{{ ns.l == ns.l }}",
      "a value holds more than");
  fails(
      "{% set ns = namespace(l=[]) %}{% for i in range(999) %}{% set ns.l = [ns.l] %}{% endfor %}",
      "nested deeper than 200");
  fails("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "a Namespace has no text");
  fails("{{ ('a' * 30000000) | replace('a', 'a' * 1000000) }}", "beyond 32 MB");
  fails("{{ 'a' | indent(99999999999) }}", "beyond 32 MB");
  fails("{{ [[1]] | tojson(indent=99999999999) }}", "beyond 32 MB");
  fails("{% set r = range(99999) | list %}{{ r | select('in', r) | list }}", "too much work");
  fails("{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}",
        "nested deeper than 200");
  fails("{{ " + repeated("[", 100000) + repeated("]", 100000) + " }}", "nested deeper than 200");
  fails("{{ " + repeated("not ", 100000) + "1 }}", "nested deeper than 200");
  fails("{{ " + repeated("-", 100000) + "1 }}", "nested deeper than 200");
  fails("{{ 1" + repeated(" + 1", 100000) + " }}", "operators in a row");
  fails("{{ x" + repeated(".a", 100000) + " }}", "operators in a row");
  fails("{{ x" + repeated("|e", 100000) + " }}", "filters in a row");
  fails("{{ x" + repeated(" if 1 else x", 100000) + " }}", "nested deeper than 200");
  fails(repeated("{% if 1 %}", 100000), "tags are nested deeper than 100");
  fails("{% set " + repeated("(", 100000) + repeated(")", 100000) + " %}",
        "nested deeper than 200");
}

// Each of these took minutes, or tens of gigabytes.
TEST_CASE("jinja: long texts are searched, cut and kept in linear time and space") {
  fails("{{ ('a' * 30000000).rsplit('a') | list }}", "a value holds more than");
  fails("{{ ('a' * 30000000).split('a') | list }}", "a value holds more than");
  fails("{{ ('\\n' * 30000000).splitlines() }}", "a value holds more than");
  fails("{% for c in 'a' * 30000000 %}{% endfor %}", "a value holds more than");
  fails("{% set a = 'x' * 30000000 %}{{ [" + repeated("a, ", 1000) + "] }}",
        "a value holds more than");
  const auto shown = [](const std::string& text) {
    return jinja::Template(text, "t").render({}).text;
  };
  const std::string long_texts = "{% set s = 'a' * 4000000 %}{% set p = 'a' * 2000000 ~ 'b' %}";
  CHECK(shown(long_texts + "{{ s.find(p) }} {{ s.rfind(p) }} {{ s.count(p) }} {{ p in s }}") ==
        "-1 -1 0 False");
  CHECK(shown(long_texts + "{{ (s ~ p ~ p).find(p) }} {{ (s ~ p ~ p).rfind(p) }}") ==
        "4000000 6000001");
  CHECK(
      shown(long_texts + "{{ (s ~ p).replace(p, '') == s }}{{ s[:1000].rsplit('a') | length }}") ==
      "True1001");
  CHECK(shown("{{ ('\\n' * 1000000).splitlines() | length }}") == "1000000");
  CHECK(shown("{{ ('ab' * 1000000).strip('ba' * 1000000) }}") == "");
  CHECK(shown("{{ 'a,b,,c'.rsplit(',', 2) }}{{ 'aaa'.rsplit('aa', 1) }}{{ 'é--é'.rsplit('-') }}") ==
        "['a,b', '', 'c']['a', '']['é', '', 'é']");
  CHECK(shown("{{ 'a\\r\\nb\\x85c\\n'.splitlines(true) }}") == "['a\\r\\n', 'b\\x85', 'c\\n']");
}

TEST_CASE("jinja: a macro outlives its scope as an error, not as a dangling pointer") {
  fails(
      "{% set ns = namespace() %}{% for i in [1] %}{% macro m() %}{{ i }}{% endmacro %}"
      "{% set ns.m = m %}{% endfor %}{{ ns.m() }}",
      "outside of where it was defined");
}

TEST_CASE("jinja: a template of 1 MB") {
  const std::string line =
      "{% if true -%} {{ 'é' ~ 1 }} {#- c #}{% endif %}\n{% raw %}{%{% endraw %}\n";
  const size_t count = (1 << 20) / line.size();
  const std::string text = jinja::Template(repeated(line, count), "big").render({}).text;
  CHECK(text == repeated("é1{%", count));
  fails(std::string(1 << 20, '{'), "t.jinja:1: this expression is never closed with }}");
  CHECK(jinja::Template(repeated("{% set x = 1 %}{{ x }}", 50000), "big").render({}).text ==
        std::string(50000, '1'));
}

TEST_CASE("jinja: strftime_now gives today's date") {
  const std::string text =
      jinja::Template("{{ strftime_now('%Y-%m-%d %%') }}", "t").render({}).text;
  CHECK(text.size() == 12);
  CHECK(text.starts_with("20"));
  CHECK(text.ends_with(" %"));
}

}  // namespace
}  // namespace lk
