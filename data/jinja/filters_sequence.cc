#include <algorithm>
#include <unordered_set>

#include "data/jinja/filters.h"
#include "data/jinja/operators.h"
#include "data/jinja/tests.h"
#include "data/jinja/text.h"
#include "engine/error.h"

namespace lk::jinja {
namespace {

Value generator(std::vector<Value> items) {
  return make_sequence(std::move(items), Sequence::Kind::generator);
}

// "a.b.0" reaches into a value step by step.
Value reach(Value v, const Value& path) {
  if (is_integer(path)) return subscript(v, path);
  const std::string& text = as_string(path, "the attribute");
  for (size_t at = 0;;) {
    const size_t end = text.find('.', at);
    const std::string step = text.substr(at, end - at);
    const bool number = !step.empty() && step.size() < 10 &&
                        step.find_first_not_of("0123456789") == std::string::npos;
    v = number ? subscript(v, int64_t{std::atoi(step.c_str())}) : subscript(v, step);
    if (end == std::string::npos) return v;
    at = end + 1;
  }
}

// What values are sorted and told apart by: texts in lower case unless case counts.
Value sort_key(const Value& v, const Value& path, bool case_sensitive) {
  Value key = path.is_none() ? v : reach(v, path);
  if (!case_sensitive && key.string()) return lower(*key.string());
  return key;
}

Value sorted(const Value& v, Arguments& args) {
  const bool reverse = truth(args.take("reverse", false)),
             case_sensitive = truth(args.take("case_sensitive", false));
  const Value path = args.take("attribute", {});
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& item : iterate(v)) {
    Value key = sort_key(item, path, case_sensitive);
    keyed.emplace_back(std::move(key), std::move(item));
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    args.budget->spend(1 + std::min(weight_of(a.first), weight_of(b.first)));
    const int order = compare(a.first, b.first);
    return reverse ? order > 0 : order < 0;
  });
  std::vector<Value> out;
  for (auto& item : keyed) out.push_back(std::move(item.second));
  return make_sequence(std::move(out));
}

Value dict_sorted(const Value& v, Arguments& args) {
  const bool case_sensitive = truth(args.take("case_sensitive", false));
  const std::string by = as_string(args.take("by", "key"), "dictsort's by");
  const bool reverse = truth(args.take("reverse", false));
  require(by == "key" || by == "value", "dictsort: by is '{}', expected key or value", by);
  require(v.dict() != nullptr, "dictsort gets a {}, expected a dict", type_name(v));
  std::vector<Value> items;
  for (const auto& [key, value] : v.dict()->items()) items.push_back(pair_of(key, value));
  Arguments sort;
  sort.budget = args.budget;
  sort.positional = {Value(reverse), Value(case_sensitive), Value(int64_t{by == "key" ? 0 : 1})};
  return sorted(make_sequence(std::move(items)), sort);
}

Value unique(const Value& v, Arguments& args) {
  const bool case_sensitive = truth(args.take("case_sensitive", false));
  const Value path = args.take("attribute", {});
  std::unordered_set<std::string> seen;
  std::vector<Value> out;
  for (Value& item : iterate(v)) {
    const Value key = sort_key(item, path, case_sensitive);
    // 1, 1.0 and true are the same.
    if (seen.insert(is_number(key) ? repr(as_double(key)) : repr(key)).second)
      out.push_back(std::move(item));
  }
  return generator(std::move(out));
}

template <bool largest>
Value extreme(const Value& v, Arguments& args) {
  const bool case_sensitive = truth(args.take("case_sensitive", false));
  const Value path = args.take("attribute", {});
  Value best = Undefined{"No aggregated item, sequence was empty."}, best_key;
  bool first = true;
  for (Value& item : iterate(v)) {
    Value key = sort_key(item, path, case_sensitive);
    if (first || (largest ? compare(key, best_key) > 0 : compare(key, best_key) < 0)) {
      best = std::move(item);
      best_key = std::move(key);
    }
    first = false;
  }
  return best;
}

Value sum(const Value& v, Arguments& args) {
  const Value path = args.take("attribute", {});
  Value total = args.take("start", int64_t{0});
  for (const Value& item : iterate(v)) {
    args.budget->spend(weight_of(total));
    total = arithmetic("+", total, path.is_none() ? item : reach(item, path));
  }
  return total;
}

Value joined(const Value& v, Arguments& args) {
  const std::string between = to_text(args.take("d", ""));
  const Value path = args.take("attribute", {});
  std::string out;
  bool first = true;
  for (const Value& item : iterate(v)) {
    if (!std::exchange(first, false)) out += between;
    out += to_text(path.is_none() ? item : reach(item, path));
    check_text_size(out.size());
  }
  return out;
}

// Those below take anything that is false for nothing, as Jinja's do.
std::vector<Value> iterate_if_any(const Value& v) {
  return truth(v) ? iterate(v) : std::vector<Value>();
}

// map('filter', args...) or map(attribute='x', default=...).
Value map(const Value& v, Arguments& args) {
  std::vector<Value> out;
  const bool by_attribute = args.positional.empty();
  const Value path = by_attribute ? args.need("attribute") : Value();
  const Value otherwise = by_attribute ? args.take("default", {}) : Value();
  const std::string name = by_attribute ? "" : as_string(args.need("filter"), "map's filter");
  const Arguments rest = args.take_rest();
  for (const Value& item : iterate_if_any(v)) {
    args.budget->spend(weight_of(item) + rest.weight());
    if (by_attribute) {
      Value found = reach(item, path);
      if (found.is_undefined() && !otherwise.is_none()) found = otherwise;
      out.push_back(std::move(found));
    } else {
      Arguments each = rest;
      out.push_back(apply_filter(name, item, each));
      args.budget->spend(weight_of(out.back()));
    }
  }
  return generator(std::move(out));
}

// select, reject: by a test on the item; selectattr, rejectattr: on an attribute of it.
template <bool wanted, bool by_attribute>
Value select(const Value& v, Arguments& args) {
  const Value path = by_attribute ? args.need("attribute") : Value();
  const Value name = args.take("test", {});
  const Arguments rest = args.take_rest();
  std::vector<Value> out;
  for (Value& item : iterate_if_any(v)) {
    args.budget->spend(weight_of(item) + rest.weight());
    const Value tested = by_attribute ? reach(item, path) : item;
    Arguments each = rest;
    const bool passes = name.is_none()
                            ? truth(tested)
                            : apply_test(as_string(name, "the name of the test"), tested, each);
    if (passes == wanted) out.push_back(std::move(item));
  }
  return generator(std::move(out));
}

Value first(const Value& v, Arguments&) {
  const auto items = iterate(v);
  if (items.empty()) return Undefined{"No first item, sequence was empty."};
  return items.front();
}

Value last(const Value& v, Arguments&) {
  require(!v.sequence() || v.sequence()->kind != Sequence::Kind::generator,
          "last: a generator has no end; put |list before it");
  const auto items = iterate(v);
  if (items.empty()) return Undefined{"No last item, sequence was empty."};
  return items.back();
}

Value reversed(const Value& v, Arguments&) {
  if (v.string()) {
    const auto points = to_code_points(*v.string());
    return to_utf8(std::u32string(points.rbegin(), points.rend()));
  }
  auto items = iterate(v);
  std::reverse(items.begin(), items.end());
  return generator(std::move(items));
}

Value items_of(const Value& v, Arguments&) {
  if (v.is_undefined()) return generator({});
  require(v.dict() != nullptr, "items gets a {}, expected a dict", type_name(v));
  std::vector<Value> out;
  for (const auto& [key, value] : v.dict()->items()) out.push_back(pair_of(key, value));
  return generator(std::move(out));
}

}  // namespace

const FilterTable& sequence_filters() {
  static const FilterTable table{
      {"length", [](const Value& v, Arguments&) -> Value { return length(v); }},
      {"count", [](const Value& v, Arguments&) -> Value { return length(v); }},
      {"list", [](const Value& v, Arguments&) { return make_sequence(iterate(v)); }},
      {"first", first},
      {"last", last},
      {"join", joined},
      {"sort", sorted},
      {"dictsort", dict_sorted},
      {"unique", unique},
      {"reverse", reversed},
      {"min", extreme<false>},
      {"max", extreme<true>},
      {"sum", sum},
      {"items", items_of},
      {"map", map},
      {"select", select<true, false>},
      {"reject", select<false, false>},
      {"selectattr", select<true, true>},
      {"rejectattr", select<false, true>},
  };
  return table;
}

}  // namespace lk::jinja
