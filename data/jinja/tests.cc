#include "data/jinja/tests.h"

#include <map>

#include "data/jinja/operators.h"
#include "data/jinja/text.h"
#include "engine/error.h"

namespace lk::jinja {
namespace {

using Test = bool (*)(const Value& v, Arguments& args);

bool is_iterable(const Value& v) {
  return v.is_undefined() || v.string() || v.sequence() || v.dict() ||
         v.as<std::shared_ptr<const Loop>>();
}

bool is_sequence(const Value& v) {
  if (v.sequence()) return v.sequence()->kind != Sequence::Kind::generator;
  return v.is_undefined() || v.string() || v.dict();
}

bool is_bool(const Value& v, bool wanted) {
  const bool* b = v.as<bool>();
  return b && *b == wanted;
}

int64_t remainder(const Value& v, int64_t by) {
  return as_integer(arithmetic("%", v, by), "what is tested");
}

// The whole text has a case, and that one.
bool has_case(const Value& v, bool upper) {
  bool found = false;
  for (const char32_t c : to_code_points(to_text(v))) {
    if (upper ? is_lower(c) : is_upper(c)) return false;
    found = found || (upper ? is_upper(c) : is_lower(c));
  }
  return found;
}

template <char first, char second>
bool ordered(const Value& v, Arguments& args) {
  const char name[] = {first, second, 0};
  return holds(name, v, args.need("other"));
}

const std::map<std::string, Test, std::less<>>& tests() {
  using V = const Value&;
  using A = Arguments&;
  static const std::map<std::string, Test, std::less<>> table = [] {
    std::map<std::string, Test, std::less<>> t{
        {"defined", [](V v, A) { return !v.is_undefined(); }},
        {"undefined", [](V v, A) { return v.is_undefined(); }},
        {"none", [](V v, A) { return v.is_none(); }},
        {"string", [](V v, A) { return v.string() != nullptr; }},
        {"number", [](V v, A) { return is_number(v); }},
        {"integer", [](V v, A) { return v.as<int64_t>() != nullptr; }},
        {"float", [](V v, A) { return v.as<double>() != nullptr; }},
        {"boolean", [](V v, A) { return v.as<bool>() != nullptr; }},
        {"true", [](V v, A) { return is_bool(v, true); }},
        {"false", [](V v, A) { return is_bool(v, false); }},
        {"mapping", [](V v, A) { return v.dict() != nullptr; }},
        {"iterable", [](V v, A) { return is_iterable(v); }},
        {"sequence", [](V v, A) { return is_sequence(v); }},
        {"callable", [](V v, A) { return v.as<std::shared_ptr<const Callable>>() != nullptr; }},
        {"even", [](V v, A) { return remainder(v, 2) == 0; }},
        {"odd", [](V v, A) { return remainder(v, 2) == 1; }},
        {"divisibleby",
         [](V v, A a) { return remainder(v, as_integer(a.need("num"), "the divisor")) == 0; }},
        {"lower", [](V v, A) { return has_case(v, false); }},
        {"upper", [](V v, A) { return has_case(v, true); }},
        {"in", [](V v, A a) { return contains(a.need("seq"), v); }},
        {"eq", ordered<'=', '='>},
        {"ne", ordered<'!', '='>},
        {"lt", ordered<'<', 0>},
        {"le", ordered<'<', '='>},
        {"gt", ordered<'>', 0>},
        {"ge", ordered<'>', '='>},
    };
    for (const auto& [other, name] : {std::pair<const char*, const char*>{"equalto", "eq"},
                                      {"==", "eq"},
                                      {"!=", "ne"},
                                      {"<", "lt"},
                                      {"lessthan", "lt"},
                                      {"<=", "le"},
                                      {">", "gt"},
                                      {"greaterthan", "gt"},
                                      {">=", "ge"}})
      t[other] = t[name];
    return t;
  }();
  return table;
}

}  // namespace

bool apply_test(const std::string& name, const Value& v, Arguments& args) {
  const auto found = tests().find(name);
  require(found != tests().end(), "unknown test 'is {}'", name);
  const bool out = found->second(v, args);
  args.done("the test '" + name + "'");
  return out;
}

}  // namespace lk::jinja
