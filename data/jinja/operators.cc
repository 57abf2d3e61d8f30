#include "data/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "data/jinja/methods.h"
#include "data/jinja/text.h"
#include "engine/error.h"

namespace lk::jinja {
namespace {

[[noreturn]] void unsupported(const std::string& name, const Value& a, const Value& b) {
  fail("the operator {} does not take a {} and a {}", name, type_name(a), type_name(b));
}

// By reference: the check that stands before it in the call sets the value.
int64_t checked(bool overflow, const int64_t& value) {
  require(!overflow, "an int grows beyond 64 bits");
  return value;
}

int64_t floor_divide(int64_t a, int64_t b) {
  require(b != 0, "division by zero");
  if (b == -1) return checked(a == INT64_MIN, a == INT64_MIN ? 0 : -a);
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

int64_t modulo(int64_t a, int64_t b) { return b == -1 ? 0 : a - floor_divide(a, b) * b; }

int64_t int_power(int64_t base, int64_t exponent) {
  int64_t out = 1;
  if (base == 0 || base == 1 || base == -1)
    return exponent == 0 || base == 1 ? 1 : base == 0 ? 0 : exponent % 2 ? -1 : 1;
  for (int64_t i = 0; i < exponent; ++i)
    out = checked(__builtin_mul_overflow(out, base, &out), out);
  return out;
}

Value integers(const std::string& name, int64_t a, int64_t b) {
  int64_t out = 0;
  if (name == "+") return checked(__builtin_add_overflow(a, b, &out), out);
  if (name == "-") return checked(__builtin_sub_overflow(a, b, &out), out);
  if (name == "*") return checked(__builtin_mul_overflow(a, b, &out), out);
  if (name == "//") return floor_divide(a, b);
  if (name == "%") {
    require(b != 0, "division by zero");
    return modulo(a, b);
  }
  if (name == "**" && b >= 0) return int_power(a, b);
  if (name == "**") return std::pow(static_cast<double>(a), static_cast<double>(b));
  require(b != 0, "division by zero");
  return static_cast<double>(a) / static_cast<double>(b);
}

Value doubles(const std::string& name, double a, double b) {
  if (name == "+") return a + b;
  if (name == "-") return a - b;
  if (name == "*") return a * b;
  if (name == "**") return std::pow(a, b);
  require(b != 0, "division by zero");
  if (name == "/") return a / b;
  const double quotient = std::floor(a / b);
  return name == "//" ? quotient : a - quotient * b;
}

Value repeat(const Value& v, int64_t count) {
  count = std::max<int64_t>(count, 0);
  if (const std::string* s = v.string()) {
    int64_t bytes = 0;
    check_text_size(__builtin_mul_overflow(static_cast<int64_t>(s->size()), count, &bytes)
                        ? SIZE_MAX
                        : static_cast<size_t>(bytes));
    std::string out;
    if (!s->empty())
      for (int64_t i = 0; i < count; ++i) out += *s;
    return out;
  }
  const Sequence& s = *v.sequence();
  std::vector<Value> items;
  if (!s.items.empty()) {
    int64_t all = 0;
    require(!__builtin_mul_overflow(s.weight, count, &all) && all <= 10'000'000,
            "a list grows too long");
    for (int64_t i = 0; i < count; ++i) items.insert(items.end(), s.items.begin(), s.items.end());
  }
  return make_sequence(std::move(items), s.kind);
}

bool repeatable(const Value& v) {
  return v.string() || (v.sequence() && v.sequence()->kind != Sequence::Kind::generator);
}

Value loop_attribute(const Loop& loop, const std::string& name) {
  const auto count = static_cast<int64_t>(loop.items->items.size()),
             index = static_cast<int64_t>(loop.index);
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "revindex") return count - index;
  if (name == "revindex0") return count - index - 1;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == count;
  if (name == "length") return count;
  // Only recursive loops, which are not supported, are deeper.
  if (name == "depth") return int64_t{1};
  if (name == "depth0") return int64_t{0};
  if (name == "previtem") {
    if (index == 0) return Undefined{"there is no previous item"};
    return loop.items->items[loop.index - 1];
  }
  if (name == "nextitem") {
    if (index + 1 == count) return Undefined{"there is no next item"};
    return loop.items->items[loop.index + 1];
  }
  if (name == "cycle")
    return make_function("loop.cycle", [index](Arguments& args) {
      require(!args.positional.empty(), "loop.cycle takes one argument or more");
      return args.positional[static_cast<size_t>(index) % args.positional.size()];
    });
  fail("loop.{} is not supported", name);
}

Value missing(const Value& v, const std::string& key) {
  return Undefined{fmt::format("'{}' has no attribute '{}'",
                               v.dict() ? "dict object" : type_name(v) + " object", key)};
}

// Where Python's slices begin and end, in 0..n (or -1..n-1 backwards).
int64_t clamp(const Value& v, int64_t n, int64_t otherwise, bool backwards) {
  if (v.is_none()) return otherwise;
  int64_t at = as_integer(v, "an end of a slice");
  if (at < 0) at = std::max<int64_t>(at + n, backwards ? -1 : 0);
  return std::min(at, backwards ? n - 1 : n);
}

}  // namespace

Value arithmetic(const std::string& name, const Value& a, const Value& b) {
  require_defined(a);
  require_defined(b);
  if (is_integer(a) && is_integer(b))
    return integers(name, as_integer(a, "a number"), as_integer(b, "a number"));
  if (is_number(a) && is_number(b)) return doubles(name, as_double(a), as_double(b));
  if (name == "+" && a.string() && b.string()) {
    if (a.is_markup() || b.is_markup()) return Value::markup(escape_html(a) + escape_html(b));
    check_text_size(a.string()->size() + b.string()->size());
    return *a.string() + *b.string();
  }
  if (name == "+" && a.sequence() && b.sequence() && a.sequence()->kind == b.sequence()->kind &&
      repeatable(a)) {
    std::vector<Value> items = a.sequence()->items;
    items.insert(items.end(), b.sequence()->items.begin(), b.sequence()->items.end());
    return make_sequence(std::move(items), a.sequence()->kind);
  }
  if (name == "*" && repeatable(a) && is_integer(b)) return repeat(a, as_integer(b, "the count"));
  if (name == "*" && repeatable(b) && is_integer(a)) return repeat(b, as_integer(a, "the count"));
  if (name == "%" && a.string()) {
    const Sequence* tuple = b.sequence();
    return format_text(*a.string(), tuple && tuple->kind == Sequence::Kind::tuple
                                        ? tuple->items
                                        : std::vector<Value>{b});
  }
  unsupported(name, a, b);
}

std::string format_text(const std::string& format, const std::vector<Value>& values) {
  std::string out;
  size_t used = 0;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const char kind = ++i < format.size() ? format[i] : 0;
    if (kind == '%') {
      out += '%';
      continue;
    }
    require(kind == 's' || kind == 'd', "a format has %{}; only %s, %d and %% are supported",
            kind ? std::string(1, kind) : "");
    require(used < values.size(), "a format wants more than the {} values given", values.size());
    const Value& v = values[used++];
    require(kind == 's' || is_number(v), "%d of a {}", type_name(v));
    out += kind == 's'     ? to_text(v)
           : is_integer(v) ? std::to_string(as_integer(v, "%d"))
                           : fmt::format("{:.0f}", std::trunc(as_double(v)));
    check_text_size(out.size());
  }
  require(used == values.size(), "a format wants {} values, {} are given", used, values.size());
  return out;
}

Value negate(const Value& v) {
  require_defined(v);
  if (const double* d = v.as<double>()) return -*d;
  return integers("-", 0, as_integer(v, "what stands behind the minus"));
}

bool holds(const std::string& name, const Value& a, const Value& b) {
  if (name == "==") return equal(a, b);
  if (name == "!=") return !equal(a, b);
  if (name == "in") return contains(b, a);
  if (name == "not in") return !contains(b, a);
  if ((a.as<double>() && std::isnan(*a.as<double>())) ||
      (b.as<double>() && std::isnan(*b.as<double>())))
    return false;
  const int order = compare(a, b);
  return name == "<" ? order < 0 : name == "<=" ? order <= 0 : name == ">" ? order > 0 : order >= 0;
}

Value attribute(const Value& v, const std::string& name) {
  require_defined(v);
  if (auto found = method(v, name)) return *found;
  if (const Dict* d = v.dict()) {
    if (const Value* item = d->find(name)) return *item;
  } else if (const auto* ns = v.as<Namespace*>()) {
    if (const auto item = (*ns)->attributes.find(name); item != (*ns)->attributes.end())
      return item->second;
  } else if (const auto* loop = v.as<std::shared_ptr<const Loop>>()) {
    return loop_attribute(**loop, name);
  }
  require(!name.starts_with("_"), "the attribute '{}' of a {} is not to be used", name,
          type_name(v));
  return missing(v, name);
}

Value subscript(const Value& v, const Value& key) {
  require_defined(v);
  if (const Dict* d = v.dict()) {
    if (!key.string()) return Undefined{fmt::format("a dict has no key {}", repr(key))};
    if (const Value* item = d->find(*key.string())) return *item;
  }
  if (is_integer(key)) {
    int64_t at = as_integer(key, "an index");
    if (const std::string* s = v.string()) {
      const auto points = to_code_points(*s);
      const auto n = static_cast<int64_t>(points.size());
      if (at < 0) at += n;
      if (at >= 0 && at < n)
        return to_utf8(std::u32string_view(points).substr(static_cast<size_t>(at), 1));
    } else if (const Sequence* q = v.sequence(); q && q->kind != Sequence::Kind::generator) {
      const auto n = static_cast<int64_t>(q->items.size());
      if (at < 0) at += n;
      if (at >= 0 && at < n) return q->items[static_cast<size_t>(at)];
    }
    return Undefined{fmt::format("{} object has no element {}", type_name(v), repr(key))};
  }
  if (key.string()) return attribute(v, *key.string());
  return Undefined{fmt::format("{} object has no such element", type_name(v))};
}

Value slice(const Value& v, const Value& begin, const Value& end, const Value& step_value) {
  require_defined(v);
  require(repeatable(v), "a {} cannot be sliced", type_name(v));
  const std::u32string points = v.string() ? to_code_points(*v.string()) : std::u32string();
  const auto n = static_cast<int64_t>(v.string() ? points.size() : v.sequence()->items.size());
  const int64_t step = step_value.is_none() ? 1 : as_integer(step_value, "the step of a slice");
  require(step != 0, "the step of a slice is 0");
  const bool back = step < 0;
  const int64_t from = clamp(begin, n, back ? n - 1 : 0, back),
                to = clamp(end, n, back ? -1 : n, back);
  std::u32string text;
  std::vector<Value> items;
  for (int64_t i = from; back ? i > to : i < to;) {
    if (v.string())
      text += points[static_cast<size_t>(i)];
    else
      items.push_back(v.sequence()->items[static_cast<size_t>(i)]);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  if (v.string()) return to_utf8(text);
  return make_sequence(std::move(items), v.sequence()->kind);
}

}  // namespace lk::jinja
