#include "data/jinja/value.h"

#include <algorithm>
#include <cmath>

#include "data/jinja/text.h"
#include "engine/error.h"

namespace lk::jinja {
namespace {

constexpr int32_t kMaxDepth = 200;
constexpr int64_t kMaxWeight = 4'000'000;
constexpr size_t kMaxText = size_t{32} << 20;

int32_t depth_of(const Value& v) {
  if (const Sequence* s = v.sequence()) return s->depth;
  if (const Dict* d = v.dict()) return d->depth();
  return 0;
}

void grow(int32_t& depth, int64_t& weight, const Value& child) {
  depth = std::max(depth, depth_of(child) + 1);
  weight += weight_of(child);
  require(depth <= kMaxDepth, "values are nested deeper than {}", kMaxDepth);
  require(weight <= kMaxWeight, "a value holds more than {} others", kMaxWeight);
}

std::string float_text(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  std::string out = fmt::format("{}", v);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

void append(std::string& out, const std::string& piece) {
  check_text_size(out.size() + piece.size());
  out += piece;
}

std::string quoted(const std::string& text) {
  const char quote =
      text.find('\'') != std::string::npos && text.find('"') == std::string::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char32_t c : to_code_points(text)) {
    if (c == static_cast<char32_t>(quote) || c == '\\')
      (out += '\\') += static_cast<char>(c);
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (is_printable(c))
      append_utf8(out, c);
    else
      out += c < 0x100     ? fmt::format("\\x{:02x}", static_cast<uint32_t>(c))
             : c < 0x10000 ? fmt::format("\\u{:04x}", static_cast<uint32_t>(c))
                           : fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
  }
  return out + quote;
}

std::string sequence_text(const Sequence& s) {
  require(s.kind != Sequence::Kind::generator,
          "a generator (of a filter such as map or selectattr) has no text; put |list behind it");
  const bool tuple = s.kind == Sequence::Kind::tuple;
  std::string out = tuple ? "(" : "[";
  for (size_t i = 0; i < s.items.size(); ++i) append(out, (i ? ", " : "") + repr(s.items[i]));
  if (tuple && s.items.size() == 1) out += ",";
  return out + (tuple ? ")" : "]");
}

std::string dict_text(const Dict& d) {
  std::string out = "{";
  for (const auto& [key, value] : d.items())
    append(out, (out.size() > 1 ? ", " : "") + quoted(key) + ": " + repr(value));
  return out + "}";
}

}  // namespace

const Value* Dict::find(const std::string& key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &items_[found->second].second;
}

void Dict::set(std::string key, Value value) {
  grow(depth_, weight_, value);
  weight_ += static_cast<int64_t>(key.size() / 64);
  const auto [at, fresh] = index_.try_emplace(key, items_.size());
  if (fresh)
    items_.emplace_back(std::move(key), std::move(value));
  else
    items_[at->second].second = std::move(value);
}

void Budget::spend(int64_t n) {
  steps -= n;
  require(steps >= 0, "the template does too much work; is there a loop that does not end?");
}

Value Arguments::take(const std::string& name, Value otherwise) {
  if (next_ < positional.size()) return positional[next_++];
  for (auto it = named.begin(); it != named.end(); ++it)
    if (it->first == name) {
      Value out = std::move(it->second);
      named.erase(it);
      return out;
    }
  return otherwise;
}

Value Arguments::need(const std::string& name) {
  require(has(name), "the argument '{}' is missing", name);
  return take(name, {});
}

bool Arguments::has(const std::string& name) const {
  return next_ < positional.size() ||
         std::any_of(named.begin(), named.end(), [&](const auto& n) { return n.first == name; });
}

Arguments Arguments::take_rest() {
  Arguments out;
  out.positional.assign(positional.begin() + static_cast<std::ptrdiff_t>(next_), positional.end());
  out.named = std::move(named);
  out.budget = budget;
  next_ = positional.size();
  named.clear();
  return out;
}

int64_t Arguments::weight() const {
  int64_t out = 0;
  for (const Value& v : positional) out += weight_of(v);
  for (const auto& item : named) out += weight_of(item.second);
  return out;
}

bool Arguments::empty() const { return next_ >= positional.size() && named.empty(); }

void Arguments::done(const std::string& function) const {
  require(next_ >= positional.size(), "{} got {} positional arguments, takes {}", function,
          positional.size(), next_);
  if (!named.empty()) fail("{} takes no argument '{}'", function, named[0].first);
}

const std::string* Value::string() const {
  const auto* p = as<std::shared_ptr<const std::string>>();
  return p ? p->get() : nullptr;
}
const Sequence* Value::sequence() const {
  const auto* p = as<std::shared_ptr<const Sequence>>();
  return p ? p->get() : nullptr;
}
const Dict* Value::dict() const {
  const auto* p = as<std::shared_ptr<const Dict>>();
  return p ? p->get() : nullptr;
}

Value Value::markup(std::string text) {
  Value v(std::move(text));
  v.markup_ = true;
  return v;
}

std::string escape_html(const Value& v) {
  if (v.is_markup()) return *v.string();
  std::string out;
  for (const char c : to_text(v))
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '\'')
      out += "&#39;";
    else if (c == '"')
      out += "&#34;";
    else
      out += c;
  check_text_size(out.size());
  return out;
}

Value make_sequence(std::vector<Value> items, Sequence::Kind kind) {
  auto s = std::make_shared<Sequence>();
  s->kind = kind;
  s->items = std::move(items);
  for (const Value& v : s->items) grow(s->depth, s->weight, v);
  return Value(std::shared_ptr<const Sequence>(std::move(s)));
}

Value pair_of(Value a, Value b) {
  return make_sequence({std::move(a), std::move(b)}, Sequence::Kind::tuple);
}

Value make_dict(Dict dict) { return Value(std::make_shared<const Dict>(std::move(dict))); }

Value make_function(std::string name, std::function<Value(Arguments&)> call, int64_t weight) {
  return Value(
      std::make_shared<const Callable>(Callable{std::move(name), std::move(call), weight}));
}

void check_text_size(size_t bytes) {
  require(bytes <= kMaxText, "the text grows beyond {} MB", kMaxText >> 20);
}

void check_count(size_t items) {
  require(items <= kMaxWeight, "a value holds more than {} others", kMaxWeight);
}

bool truth(const Value& v) {
  if (v.is_undefined() || v.is_none()) return false;
  if (const bool* b = v.as<bool>()) return *b;
  if (is_number(v)) return as_double(v) != 0;
  if (const std::string* s = v.string()) return !s->empty();
  if (const Sequence* s = v.sequence())
    return s->kind == Sequence::Kind::generator || !s->items.empty();
  if (const Dict* d = v.dict()) return !d->items().empty();
  return true;
}

std::string to_text(const Value& v) {
  if (v.is_undefined()) return "";
  if (const std::string* s = v.string()) return *s;
  return repr(v);
}

std::string repr(const Value& v) {
  if (v.is_undefined()) return "Undefined";
  if (v.is_none()) return "None";
  if (const bool* b = v.as<bool>()) return *b ? "True" : "False";
  if (const int64_t* i = v.as<int64_t>()) return std::to_string(*i);
  if (const double* d = v.as<double>()) return float_text(*d);
  if (const std::string* s = v.string()) return quoted(*s);
  if (const Sequence* s = v.sequence()) return sequence_text(*s);
  if (const Dict* d = v.dict()) return dict_text(*d);
  fail("a {} has no text", type_name(v));
}

std::string type_name(const Value& v) {
  if (v.is_undefined()) return "undefined";
  if (v.is_none()) return "NoneType";
  if (v.as<bool>()) return "bool";
  if (v.as<int64_t>()) return "int";
  if (v.as<double>()) return "float";
  if (v.string()) return "str";
  if (v.dict()) return "dict";
  if (v.as<Namespace*>()) return "Namespace";
  if (v.as<std::shared_ptr<const Loop>>()) return "LoopContext";
  if (const Sequence* s = v.sequence())
    return s->kind == Sequence::Kind::list    ? "list"
           : s->kind == Sequence::Kind::tuple ? "tuple"
                                              : "generator";
  return "function";
}

int64_t weight_of(const Value& v) {
  if (const std::string* s = v.string()) return 1 + static_cast<int64_t>(s->size() / 64);
  if (const Sequence* s = v.sequence()) return s->weight;
  if (const Dict* d = v.dict()) return d->weight();
  return 1;
}

bool is_integer(const Value& v) { return v.as<bool>() || v.as<int64_t>(); }
bool is_number(const Value& v) { return is_integer(v) || v.as<double>(); }

int64_t as_integer(const Value& v, const char* what) {
  require_defined(v);
  if (const bool* b = v.as<bool>()) return *b ? 1 : 0;
  const int64_t* i = v.as<int64_t>();
  require(i != nullptr, "{} is a {}, expected an int", what, type_name(v));
  return *i;
}

double as_double(const Value& v) {
  if (const double* d = v.as<double>()) return *d;
  return static_cast<double>(as_integer(v, "a number"));
}

const std::string& as_string(const Value& v, const char* what) {
  require_defined(v);
  require(v.string() != nullptr, "{} is a {}, expected a str", what, type_name(v));
  return *v.string();
}

void require_defined(const Value& v) {
  if (const Undefined* u = v.as<Undefined>()) throw Error(u->what);
}

std::vector<Value> iterate(const Value& v) {
  if (v.is_undefined()) return {};
  if (const Sequence* s = v.sequence()) {
    if (s->kind != Sequence::Kind::generator) return s->items;
    if (std::exchange(s->used_up, true)) return {};
    return s->items;
  }
  std::vector<Value> out;
  if (const Dict* d = v.dict()) {
    for (const auto& item : d->items()) out.emplace_back(item.first);
    return out;
  }
  if (const std::string* s = v.string()) {
    check_count(static_cast<size_t>(count_code_points(*s)));
    for (const char32_t c : to_code_points(*s)) {
      std::string one;
      append_utf8(one, c);
      out.emplace_back(std::move(one));
    }
    return out;
  }
  fail("a {} cannot be gone through item by item", type_name(v));
}

int64_t length(const Value& v) {
  if (v.is_undefined()) return 0;
  if (const std::string* s = v.string()) return count_code_points(*s);
  if (const Dict* d = v.dict()) return static_cast<int64_t>(d->items().size());
  const Sequence* s = v.sequence();
  require(s && s->kind != Sequence::Kind::generator, "a {} has no length{}", type_name(v),
          s ? "; put |list behind it" : "");
  return static_cast<int64_t>(s->items.size());
}

bool equal(const Value& a, const Value& b) {
  if (is_number(a) && is_number(b)) {
    if (is_integer(a) && is_integer(b)) return as_integer(a, "") == as_integer(b, "");
    return as_double(a) == as_double(b);
  }
  if (a.string() && b.string()) return *a.string() == *b.string();
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.sequence() && b.sequence()) {
    const Sequence &x = *a.sequence(), &y = *b.sequence();
    if (x.kind != y.kind || x.items.size() != y.items.size()) return false;
    if (x.kind == Sequence::Kind::generator) return &x == &y;
    for (size_t i = 0; i < x.items.size(); ++i)
      if (!equal(x.items[i], y.items[i])) return false;
    return true;
  }
  if (a.dict() && b.dict()) {
    if (a.dict()->items().size() != b.dict()->items().size()) return false;
    for (const auto& [key, value] : a.dict()->items()) {
      const Value* other = b.dict()->find(key);
      if (!other || !equal(value, *other)) return false;
    }
    return true;
  }
  const auto *x = a.as<Namespace*>(), *y = b.as<Namespace*>();
  return x && y && *x == *y;
}

int compare(const Value& a, const Value& b) {
  require_defined(a);
  require_defined(b);
  if (is_number(a) && is_number(b)) {
    if (is_integer(a) && is_integer(b)) {
      const int64_t x = as_integer(a, ""), y = as_integer(b, "");
      return x < y ? -1 : x > y;
    }
    const double x = as_double(a), y = as_double(b);
    return x < y ? -1 : x > y;
  }
  if (a.string() && b.string()) {
    const int order = a.string()->compare(*b.string());
    return order < 0 ? -1 : order > 0;
  }
  const Sequence *x = a.sequence(), *y = b.sequence();
  require(x && y && x->kind == y->kind && x->kind != Sequence::Kind::generator,
          "a {} and a {} have no order", type_name(a), type_name(b));
  for (size_t i = 0; i < std::min(x->items.size(), y->items.size()); ++i)
    if (!equal(x->items[i], y->items[i])) return compare(x->items[i], y->items[i]);
  return x->items.size() < y->items.size() ? -1 : x->items.size() > y->items.size();
}

bool contains(const Value& container, const Value& item) {
  if (const std::string* s = container.string())
    return find_text(*s, as_string(item, "what is sought in a str")) != std::string::npos;
  if (const Dict* d = container.dict()) return item.string() && d->find(*item.string());
  for (const Value& v : iterate(container))
    if (equal(v, item)) return true;
  return false;
}

}  // namespace lk::jinja
