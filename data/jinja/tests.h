// What stands behind `is`.
#pragma once

#include "data/jinja/value.h"

namespace lk::jinja {

// Error for a test that is not known.
bool apply_test(const std::string& name, const Value& v, Arguments& args);

}  // namespace lk::jinja
