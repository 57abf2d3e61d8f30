#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "data/jinja/filters.h"
#include "data/jinja/json.h"
#include "data/jinja/operators.h"
#include "data/jinja/text.h"
#include "engine/error.h"

namespace lk::jinja {
namespace {

// Of a number in text, white space around and underscores between digits allowed.
std::string number_text(const std::string& text) {
  std::string s = strip(text, "", true, true), out;
  for (size_t i = 0; i < s.size(); ++i)
    if (s[i] != '_' || i == 0 || i + 1 == s.size() || !std::isdigit(s[i - 1])) out += s[i];
  return out;
}

std::optional<int64_t> parse_int(const std::string& text, int64_t base) {
  std::string s = number_text(text);
  for (const auto& [prefix, of] : {std::pair<const char*, int64_t>{"0x", 16}, {"0o", 8}, {"0b", 2}})
    if (base == of && lower(s).starts_with(prefix)) s = s.substr(2);
  if (s.empty() || std::isspace(static_cast<unsigned char>(s[0]))) return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const int64_t v = std::strtoll(s.c_str(), &end, static_cast<int>(base));
  if (end != s.c_str() + s.size()) return std::nullopt;
  require(errno != ERANGE, "the number {} does not fit 64 bits", s);
  return v;
}

std::optional<double> parse_float(const std::string& text) {
  const std::string s = number_text(text);
  if (s.empty() || lower(s).find('x') != std::string::npos || s.find('(') != std::string::npos)
    return std::nullopt;
  char* end = nullptr;
  const double v = std::strtod(s.c_str(), &end);
  if (end != s.c_str() + s.size()) return std::nullopt;
  return v;
}

Value truncated(double v, const Value& otherwise) {
  if (!std::isfinite(v)) return otherwise;
  require(std::abs(v) < 9.2e18, "the number {} does not fit 64 bits", v);
  return static_cast<int64_t>(v);
}

Value to_int(const Value& v, Arguments& args) {
  Value otherwise = args.take("default", int64_t{0});
  const int64_t base = as_integer(args.take("base", int64_t{10}), "the base");
  require(base >= 2 && base <= 36, "int: the base is {}, expected 2 to 36", base);
  require_defined(v);
  if (is_integer(v)) return as_integer(v, "a number");
  if (const double* d = v.as<double>()) return truncated(*d, otherwise);
  if (!v.string()) return otherwise;
  if (const auto i = parse_int(*v.string(), base)) return *i;
  if (const auto d = parse_float(*v.string())) return truncated(*d, otherwise);
  return otherwise;
}

Value to_float(const Value& v, Arguments& args) {
  Value otherwise = args.take("default", 0.0);
  require_defined(v);
  if (is_number(v)) return as_double(v);
  if (v.string())
    if (const auto d = parse_float(*v.string())) return *d;
  return otherwise;
}

Value round_number(const Value& v, Arguments& args) {
  const int64_t precision = as_integer(args.take("precision", int64_t{0}), "the precision");
  const std::string how = as_string(args.take("method", "common"), "the method");
  require(how == "common" || how == "ceil" || how == "floor",
          "round: the method is '{}', expected common, ceil or floor", how);
  require(precision >= 0 && precision <= 300, "round: the precision is {}, expected 0 to 300",
          precision);
  require_defined(v);
  if (how == "common" && is_integer(v)) return as_integer(v, "a number");
  const double x = as_double(v);
  if (how == "common" && !std::isfinite(x)) return x;
  // Through text: Python rounds the exact decimal value, half to even.
  if (how == "common")
    return std::strtod(fmt::format("{:.{}f}", x, static_cast<int>(precision)).c_str(), nullptr);
  const double unit = std::pow(10.0, static_cast<double>(precision));
  return (how == "ceil" ? std::ceil(x * unit) : std::floor(x * unit)) / unit;
}

Value absolute(const Value& v, Arguments&) {
  require_defined(v);
  if (const double* d = v.as<double>()) return std::abs(*d);
  const int64_t i = as_integer(v, "what abs gets");
  require(i != INT64_MIN, "an int grows beyond 64 bits");
  return i < 0 ? -i : i;
}

// Jinja's title: words begin at the start and behind - ( { [ < and white space.
Value titled(const Value& v, Arguments&) {
  std::string out, word;
  const auto flush = [&] {
    out += capitalize(word);
    word.clear();
  };
  for (const char32_t c : to_code_points(to_text(v))) {
    const bool border = is_space(c) || std::u32string_view(U"-({[<").find(c) != std::string::npos;
    if (border) flush();
    append_utf8(border ? out : word, c);
  }
  flush();
  return out;
}

Value indent(const Value& v, Arguments& args) {
  const Value width = args.take("width", int64_t{4});
  const bool first = truth(args.take("first", false)), blank = truth(args.take("blank", false));
  const int64_t count = width.string() ? 0 : as_integer(width, "the width");
  check_text_size(static_cast<size_t>(std::max<int64_t>(count, 0)));
  const std::string space =
      width.string() ? *width.string()
                     : std::string(static_cast<size_t>(std::max<int64_t>(count, 0)), ' ');
  const std::string text = to_text(v);
  std::string out = first ? space : "";
  for (size_t at = 0;;) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    if (at > 0 && (blank || !line.empty())) out += space;
    out += line;
    check_text_size(out.size());
    if (end == std::string::npos) return out;
    out += '\n';
    at = end + 1;
  }
}

// A text made of another: markup where that was.
Value like(const Value& v, std::string text) {
  return v.is_markup() ? Value::markup(std::move(text)) : Value(std::move(text));
}

// transformers' own tojson (utils/chat_template_utils.py), not Jinja's.
Value json_text(const Value& v, Arguments& args) {
  JsonStyle style;
  style.ensure_ascii = truth(args.take("ensure_ascii", false));
  const Value width = args.take("indent", {}), separators = args.take("separators", {});
  style.sort_keys = truth(args.take("sort_keys", false));
  if (!width.is_none()) {
    style.indent = std::max<int64_t>(0, as_integer(width, "tojson's indent"));
    style.item_separator.assign(1, ',');
  }
  if (!separators.is_none()) {
    const auto pair = iterate(separators);
    require(pair.size() == 2, "tojson: separators are (item, key)");
    style.item_separator = as_string(pair[0], "the item separator");
    style.key_separator = as_string(pair[1], "the key separator");
  }
  return to_json(v, style);
}

}  // namespace

const FilterTable& text_filters() {
  using V = const Value&;
  using A = Arguments&;
  static const FilterTable table{
      {"trim",
       [](V v, A a) -> Value {
         const Value chars = a.take("chars", {});
         if (chars.string() && chars.string()->empty()) return like(v, to_text(v));
         return like(
             v, strip(to_text(v), chars.is_none() ? "" : as_string(chars, "chars"), true, true));
       }},
      {"upper", [](V v, A) -> Value { return like(v, upper(to_text(v))); }},
      {"lower", [](V v, A) -> Value { return like(v, lower(to_text(v))); }},
      {"capitalize", [](V v, A) -> Value { return capitalize(to_text(v)); }},
      {"title", titled},
      {"string", [](V v, A) -> Value { return like(v, to_text(v)); }},
      {"safe", [](V v, A) { return Value::markup(to_text(v)); }},
      {"replace",
       [](V v, A a) -> Value {
         const std::string from = as_string(a.need("old"), "the text to replace"),
                           to = as_string(a.need("new"), "the replacement");
         const Value count = a.take("count", {});
         return replace(to_text(v), from, to,
                        count.is_none() ? -1 : as_integer(count, "the count"));
       }},
      {"format",
       [](V v, A a) -> Value { return format_text(to_text(v), a.take_rest().positional); }},
      {"indent", indent},
      {"e", [](V v, A) { return Value::markup(escape_html(v)); }},
      {"escape", [](V v, A) { return Value::markup(escape_html(v)); }},
      {"tojson", json_text},
      {"int", to_int},
      {"float", to_float},
      {"round", round_number},
      {"abs", absolute},
      {"default",
       [](V v, A a) {
         Value otherwise = a.take("default_value", "");
         const bool falsy = truth(a.take("boolean", false));
         return v.is_undefined() || (falsy && !truth(v)) ? otherwise : v;
       }},
      {"d", [](V v, A a) { return text_filters().find("default")->second(v, a); }},
  };
  return table;
}

}  // namespace lk::jinja
