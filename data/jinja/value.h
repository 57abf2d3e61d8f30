// The values of a template: those of Python that a chat template meets. They cannot be changed once
// made (transformers' sandbox forbids it too), but for namespaces.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace lk::jinja {

class Value;

// What a name, key or attribute that does not exist gives: prints as nothing, is false and empty;
// everything else done with it is an Error that says `what` ("'x' is undefined").
struct Undefined {
  std::string what;
};

// A list or tuple; or what Python's generators give: always true, without a length, read once.
struct Sequence {
  enum class Kind : uint8_t { list, tuple, generator };
  Kind kind = Kind::list;
  std::vector<Value> items;
  int32_t depth = 1;
  int64_t weight = 1;
  mutable bool used_up = false;
};

// Keys are strings; they keep their order.
class Dict {
 public:
  const std::vector<std::pair<std::string, Value>>& items() const { return items_; }
  const Value* find(const std::string& key) const;
  void set(std::string key, Value value);

  int32_t depth() const { return depth_; }
  int64_t weight() const { return weight_; }

 private:
  std::vector<std::pair<std::string, Value>> items_;
  std::unordered_map<std::string, size_t> index_;
  int32_t depth_ = 1;
  int64_t weight_ = 1;
};

// namespace(): the one thing that {% set ns.x = ... %} changes. The evaluator owns them.
struct Namespace {
  std::unordered_map<std::string, Value> attributes;
};

// `loop` inside a for.
struct Loop {
  std::shared_ptr<const Sequence> items;
  size_t index = 0;
};

// What a rendering may still do; a hostile template is an Error, not a hang.
struct Budget {
  int64_t steps = 40'000'000;
  void spend(int64_t n);
};

// Arguments of a call; a function takes them one by one and then says that it is done.
class Arguments {
 public:
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
  Budget* budget = nullptr;

  // The next positional argument, or the one called `name`, or `otherwise`.
  Value take(const std::string& name, Value otherwise);
  Value need(const std::string& name);      // Error when it is missing
  Arguments take_rest();                    // all that were not taken
  bool has(const std::string& name) const;  // take would find one
  bool empty() const;
  int64_t weight() const;
  void done(const std::string& function) const;  // Error when some were not taken

 private:
  size_t next_ = 0;
};

struct Callable {
  std::string name;
  std::function<Value(Arguments&)> call;
  int64_t weight = 1;  // of the value that a method goes through
};

struct None {};

class Value {
 public:
  using Data =
      std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const std::string>,
                   std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>, Namespace*,
                   std::shared_ptr<const Loop>, std::shared_ptr<const Callable>>;
  Value() : data_(None{}) {}
  // A value is what it is given; implicit, so that functions can return plain C++ values.
  Value(Undefined v) : data_(std::move(v)) {}                                         // NOLINT
  Value(bool v) : data_(v) {}                                                         // NOLINT
  Value(int64_t v) : data_(v) {}                                                      // NOLINT
  Value(double v) : data_(v) {}                                                       // NOLINT
  Value(std::string v) : data_(std::make_shared<const std::string>(std::move(v))) {}  // NOLINT
  Value(const char* v) : Value(std::string(v)) {}                                     // NOLINT
  Value(std::shared_ptr<const Sequence> v) : data_(std::move(v)) {}                   // NOLINT
  Value(std::shared_ptr<const Dict> v) : data_(std::move(v)) {}                       // NOLINT
  Value(Namespace* v) : data_(v) {}                                                   // NOLINT
  Value(std::shared_ptr<const Loop> v) : data_(std::move(v)) {}                       // NOLINT
  Value(std::shared_ptr<const Callable> v) : data_(std::move(v)) {}                   // NOLINT

  template <class T>
  const T* as() const {
    return std::get_if<T>(&data_);
  }
  bool is_undefined() const { return as<Undefined>() != nullptr; }
  bool is_none() const { return as<None>() != nullptr; }
  const std::string* string() const;  // null when it is none
  // A text that the filters e and safe made: what is joined to it by + is escaped for HTML.
  bool is_markup() const { return markup_; }
  static Value markup(std::string text);
  const Sequence* sequence() const;  // null when it is none
  const Dict* dict() const;          // null when it is none

 private:
  Data data_;
  bool markup_ = false;
};

// Lists and dictionaries; Error when nested deeper than 200 or holding more than 4 million values.
Value make_sequence(std::vector<Value> items, Sequence::Kind kind = Sequence::Kind::list);
Value pair_of(Value a, Value b);
Value make_dict(Dict dict);
Value make_function(std::string name, std::function<Value(Arguments&)> call, int64_t weight = 1);

// & < > ' " as HTML writes them; markup stays as it is.
std::string escape_html(const Value& v);

// A text of more than 32 MB is an Error.
void check_text_size(size_t bytes);
// A list of more than 4 million items is an Error.
void check_count(size_t items);

bool truth(const Value& v);
// As Python's str() and repr(); None is "None", a string in a list has quotes.
std::string to_text(const Value& v);
std::string repr(const Value& v);
// "str", "list", ... as Python calls it.
std::string type_name(const Value& v);
// A rough count of the work that going through the value is.
int64_t weight_of(const Value& v);
// bool, int and float; bool counts as 0 or 1.
bool is_number(const Value& v);
bool is_integer(const Value& v);  // int or bool
int64_t as_integer(const Value& v, const char* what);
double as_double(const Value& v);
const std::string& as_string(const Value& v, const char* what);
// Fails when v is undefined.
void require_defined(const Value& v);
// What `for` goes through: items, keys, characters; nothing for an undefined value. Uses a
// generator up.
std::vector<Value> iterate(const Value& v);
int64_t length(const Value& v);

bool equal(const Value& a, const Value& b);
// a < b: -1, 0, 1; Error for values that have no order.
int compare(const Value& a, const Value& b);
bool contains(const Value& container, const Value& item);

}  // namespace lk::jinja
