// The methods of str, list, tuple and dict that templates call.
#pragma once

#include <optional>

#include "data/jinja/value.h"

namespace lk::jinja {

// v.name as a function; nothing when v has no such method. Those that would change v (append, pop,
// update) are an Error when called, as in transformers' sandbox.
std::optional<Value> method(const Value& v, const std::string& name);

}  // namespace lk::jinja
