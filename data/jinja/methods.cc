#include "data/jinja/methods.h"

#include <algorithm>
#include <map>

#include "data/jinja/text.h"
#include "engine/error.h"

namespace lk::jinja {
namespace {

template <class T>
using Method = Value (*)(const T& self, Arguments& args);
template <class T>
using Table = std::map<std::string, Method<T>, std::less<>>;

Value strings(std::vector<std::string> texts) {
  std::vector<Value> items;
  for (std::string& t : texts) items.emplace_back(std::move(t));
  return make_sequence(std::move(items));
}

// Python's split without a separator: at runs of white space, none at the ends.
std::vector<std::string> split_space(const std::string& text, int64_t most, bool from_right) {
  std::u32string s = to_code_points(text);
  if (from_right) std::reverse(s.begin(), s.end());
  std::vector<std::u32string> parts;
  size_t at = 0;
  for (;;) {
    while (at < s.size() && is_space(s[at])) ++at;
    if (at == s.size()) break;
    size_t end = at;
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      parts.push_back(s.substr(at));
      break;
    }
    while (end < s.size() && !is_space(s[end])) ++end;
    parts.push_back(s.substr(at, end - at));
    check_count(parts.size());
    at = end;
  }
  std::vector<std::string> out;
  for (std::u32string& p : parts) {
    if (from_right) std::reverse(p.begin(), p.end());
    out.push_back(to_utf8(p));
  }
  if (from_right) std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string> split_at(const std::string& text, const std::string& separator,
                                  int64_t most, bool from_right) {
  require(!separator.empty(), "split: the separator is empty");
  if (from_right) {  // from the left, all of it backwards
    const auto turn = [](std::string& s) { std::reverse(s.begin(), s.end()); };
    std::string text_back = text, separator_back = separator;
    turn(text_back);
    turn(separator_back);
    std::vector<std::string> parts = split_at(text_back, separator_back, most, false);
    for (std::string& part : parts) turn(part);
    std::reverse(parts.begin(), parts.end());
    return parts;
  }
  std::vector<std::string> out;
  size_t begin = 0;
  for (; most != 0; --most) {
    const size_t cut = find_text(text, separator, begin);
    if (cut == std::string::npos) break;
    out.push_back(text.substr(begin, cut - begin));
    check_count(out.size());
    begin = cut + separator.size();
  }
  out.push_back(text.substr(begin));
  return out;
}

template <bool from_right>
Value split(const std::string& s, Arguments& args) {
  const Value separator = args.take("sep", {});
  const int64_t most = as_integer(args.take("maxsplit", int64_t{-1}), "maxsplit");
  return strings(separator.is_none()
                     ? split_space(s, most, from_right)
                     : split_at(s, as_string(separator, "the separator"), most, from_right));
}

// Bytes of the line end at `at`, or 0.
size_t line_end(std::string_view s, size_t at) {
  const std::string_view rest = s.substr(at);
  if (rest.starts_with("\r\n")) return 2;
  if (std::string_view("\n\r\v\f\x1c\x1d\x1e").find(rest[0]) != std::string_view::npos) return 1;
  for (const std::string_view wide : {"\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"})
    if (rest.starts_with(wide)) return wide.size();
  return 0;
}

Value split_lines(const std::string& s, Arguments& args) {
  const bool keep = truth(args.take("keepends", false));
  std::vector<std::string> out;
  for (size_t at = 0; at < s.size();) {
    size_t end = at, width = 0;
    while (end < s.size() && (width = line_end(s, end)) == 0) ++end;
    out.push_back(s.substr(at, (keep ? end + width : end) - at));
    check_count(out.size());
    at = end + width;
  }
  return strings(std::move(out));
}

// A str or a tuple of them.
template <class F>
Value any_affix(Arguments& args, const F& has) {
  const Value affix = args.need("prefix");
  if (const Sequence* tuple = affix.sequence())
    return std::any_of(tuple->items.begin(), tuple->items.end(),
                       [&](const Value& v) { return has(as_string(v, "an affix")); });
  return has(as_string(affix, "the affix"));
}

template <bool left, bool right>
Value strip_ends(const std::string& s, Arguments& args) {
  const Value chars = args.take("chars", {});
  if (chars.string() && chars.string()->empty()) return s;
  return strip(s, chars.is_none() ? "" : as_string(chars, "the characters to strip"), left, right);
}

// In code points; begin and end are not taken.
Value position(const std::string& s, size_t found) {
  if (found == std::string::npos) return int64_t{-1};
  return count_code_points(std::string_view(s).substr(0, found));
}

template <bool (*test)(char32_t)>
Value all_are(const std::string& s, Arguments&) {
  const auto points = to_code_points(s);
  return !points.empty() && std::all_of(points.begin(), points.end(), test);
}

// isupper, islower: some letter has a case and none the other.
template <bool (*good)(char32_t), bool (*bad)(char32_t)>
Value cased(const std::string& s, Arguments&) {
  const auto points = to_code_points(s);
  return std::any_of(points.begin(), points.end(), good) &&
         std::none_of(points.begin(), points.end(), bad);
}

bool is_alnum(char32_t c) { return is_alpha(c) || is_digit(c); }

int64_t count_of(const std::string& s, const std::string& part) {
  require(!part.empty(), "count: the text to count is empty");
  int64_t n = 0;
  for (size_t at = find_text(s, part); at != std::string::npos;
       at = find_text(s, part, at + part.size()))
    ++n;
  return n;
}

std::string join(const std::string& s, Arguments& args) {
  std::string out;
  bool first = true;
  for (const Value& v : iterate(args.need("iterable"))) {
    if (!std::exchange(first, false)) out += s;
    out += as_string(v, "an item to join");
    check_text_size(out.size());
  }
  return out;
}

const Table<std::string>& string_methods() {
  using S = const std::string&;
  using A = Arguments&;
  static const Table<std::string> table{
      {"strip", strip_ends<true, true>},
      {"lstrip", strip_ends<true, false>},
      {"rstrip", strip_ends<false, true>},
      {"split", split<false>},
      {"rsplit", split<true>},
      {"splitlines", split_lines},
      {"upper", [](S s, A) -> Value { return upper(s); }},
      {"lower", [](S s, A) -> Value { return lower(s); }},
      {"title", [](S s, A) -> Value { return title(s); }},
      {"capitalize", [](S s, A) -> Value { return capitalize(s); }},
      {"startswith", [](S s, A a) { return any_affix(a, [&](S p) { return s.starts_with(p); }); }},
      {"endswith", [](S s, A a) { return any_affix(a, [&](S p) { return s.ends_with(p); }); }},
      {"removeprefix",
       [](S s, A a) -> Value {
         const std::string p = as_string(a.need("prefix"), "the prefix");
         return s.starts_with(p) ? s.substr(p.size()) : s;
       }},
      {"removesuffix",
       [](S s, A a) -> Value {
         const std::string p = as_string(a.need("suffix"), "the suffix");
         return s.ends_with(p) ? s.substr(0, s.size() - p.size()) : s;
       }},
      {"replace",
       [](S s, A a) -> Value {
         const std::string from = as_string(a.need("old"), "the text to replace"),
                           to = as_string(a.need("new"), "the replacement");
         return replace(s, from, to, as_integer(a.take("count", int64_t{-1}), "the count"));
       }},
      {"find",
       [](S s, A a) {
         return position(s, find_text(s, as_string(a.need("sub"), "the text to find")));
       }},
      {"rfind",
       [](S s, A a) {
         return position(s, find_last_text(s, as_string(a.need("sub"), "the text to find")));
       }},
      {"index",
       [](S s, A a) {
         const size_t found = find_text(s, as_string(a.need("sub"), "the text to find"));
         require(found != std::string::npos, "index: the text is not there");
         return position(s, found);
       }},
      {"count",
       [](S s, A a) -> Value {
         return count_of(s, as_string(a.need("sub"), "the text to count"));
       }},
      {"join", [](S s, A a) -> Value { return join(s, a); }},
      {"isdigit", all_are<is_digit>},
      {"isnumeric", all_are<is_digit>},
      {"isdecimal", all_are<is_digit>},
      {"isalpha", all_are<is_alpha>},
      {"isalnum", all_are<is_alnum>},
      {"isspace", all_are<is_space>},
      {"isupper", cased<is_upper, is_lower>},
      {"islower", cased<is_lower, is_upper>},
  };
  return table;
}

Value item_tuples(const Dict& d) {
  std::vector<Value> out;
  for (const auto& [key, value] : d.items()) out.push_back(pair_of(key, value));
  return make_sequence(std::move(out));
}

const Table<Dict>& dict_methods() {
  using D = const Dict&;
  using A = Arguments&;
  static const Table<Dict> table{
      {"items", [](D d, A) { return item_tuples(d); }},
      {"keys",
       [](D d, A) {
         std::vector<Value> out;
         for (const auto& item : d.items()) out.emplace_back(item.first);
         return make_sequence(std::move(out));
       }},
      {"values",
       [](D d, A) {
         std::vector<Value> out;
         for (const auto& item : d.items()) out.push_back(item.second);
         return make_sequence(std::move(out));
       }},
      {"get",
       [](D d, A a) {
         const Value key = a.need("key");
         const Value* found = key.string() ? d.find(*key.string()) : nullptr;
         Value otherwise = a.take("default", {});
         return found ? *found : otherwise;
       }},
      {"copy", [](D d, A) { return make_dict(d); }},
  };
  return table;
}

const Table<Sequence>& sequence_methods() {
  using S = const Sequence&;
  using A = Arguments&;
  static const Table<Sequence> table{
      {"index",
       [](S s, A a) -> Value {
         const Value sought = a.need("value");
         for (size_t i = 0; i < s.items.size(); ++i)
           if (equal(s.items[i], sought)) return static_cast<int64_t>(i);
         fail("index: the value is not in the {}",
              s.kind == Sequence::Kind::list ? "list" : "tuple");
       }},
      {"count",
       [](S s, A a) -> Value {
         const Value sought = a.need("value");
         return static_cast<int64_t>(std::count_if(
             s.items.begin(), s.items.end(), [&](const Value& v) { return equal(v, sought); }));
       }},
  };
  return table;
}

// The function keeps the value it belongs to.
template <class T>
std::optional<Value> bound(const Table<T>& table, const std::string& name, const Value& v,
                           const T* (*self)(const Value&)) {
  const auto found = table.find(name);
  if (found == table.end()) return std::nullopt;
  return make_function(
      name,
      [call = found->second, v, name, self](Arguments& args) {
        Value out = call(*self(v), args);
        args.done(name);
        return out;
      },
      weight_of(v));
}

}  // namespace

std::optional<Value> method(const Value& v, const std::string& name) {
  if (v.string())
    return bound<std::string>(string_methods(), name, v, [](const Value& x) { return x.string(); });
  const auto changes = [&](std::initializer_list<const char*> names) -> std::optional<Value> {
    if (std::find(names.begin(), names.end(), name) == names.end()) return std::nullopt;
    return make_function(name, [name, type = type_name(v)](Arguments&) -> Value {
      fail(
          "{}.{} would change a value, which the sandbox of transformers forbids; use + or a "
          "namespace",
          type, name);
    });
  };
  if (v.dict()) {
    if (auto found = bound<Dict>(dict_methods(), name, v, [](const Value& x) { return x.dict(); }))
      return found;
    return changes({"pop", "popitem", "clear", "update", "setdefault"});
  }
  if (v.sequence() && v.sequence()->kind != Sequence::Kind::generator) {
    if (auto found = bound<Sequence>(sequence_methods(), name, v,
                                     [](const Value& x) { return x.sequence(); }))
      return found;
    if (v.sequence()->kind == Sequence::Kind::list)
      return changes({"append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear"});
  }
  return std::nullopt;
}

}  // namespace lk::jinja
