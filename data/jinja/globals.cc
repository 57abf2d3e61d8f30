#include "data/jinja/globals.h"

#include <ctime>

#include "engine/error.h"

namespace lk::jinja {
namespace {

// At most 100000 numbers, as Jinja's sandbox has it.
Value range(Arguments& args) {
  constexpr int64_t kMost = 100'000;
  int64_t begin = 0, end = as_integer(args.need("start"), "an end of range");
  if (!args.empty()) {
    begin = end;
    end = as_integer(args.need("stop"), "an end of range");
  }
  const int64_t step = as_integer(args.take("step", int64_t{1}), "the step of range");
  args.done("range");
  require(step != 0, "range: the step is 0");
  std::vector<Value> out;
  for (int64_t i = begin; step > 0 ? i < end : i > end;) {
    require(static_cast<int64_t>(out.size()) < kMost, "range has more than {} numbers", kMost);
    out.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return make_sequence(std::move(out));
}

Value dict(Arguments& args) {
  Dict out;
  if (!args.positional.empty()) {
    const Value from = args.need("from");
    require(from.dict() != nullptr, "dict(...) takes a dict or named values, not a {}",
            type_name(from));
    out = *from.dict();
  }
  for (auto& [name, value] : args.take_rest().named) out.set(name, std::move(value));
  return make_dict(std::move(out));
}

Value raise_exception(Arguments& args) {
  const std::string message = to_text(args.need("message"));
  fail("the template refuses this conversation: {}", message);
}

Value strftime_now(Arguments& args) {
  const std::string format = as_string(args.need("format"), "the format");
  args.done("strftime_now");
  require(format.size() <= 200, "strftime_now: the format is longer than 200 bytes");
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[4096];
  return std::string(text, std::strftime(text, sizeof text, format.c_str(), &local));
}

}  // namespace

const std::unordered_map<std::string, Value>& global_functions() {
  static const std::unordered_map<std::string, Value> table{
      {"range", make_function("range", range)},
      {"dict", make_function("dict", dict)},
      {"raise_exception", make_function("raise_exception", raise_exception)},
      {"strftime_now", make_function("strftime_now", strftime_now)},
  };
  return table;
}

}  // namespace lk::jinja
