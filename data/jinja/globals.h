// The functions every template has: range, dict, raise_exception, strftime_now. (namespace is the
// evaluator's.)
#pragma once

#include <string>
#include <unordered_map>

#include "data/jinja/value.h"

namespace lk::jinja {

const std::unordered_map<std::string, Value>& global_functions();

}  // namespace lk::jinja
