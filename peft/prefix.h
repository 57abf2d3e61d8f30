// Prefix tuning; see prefix.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo prefix_info();
// For methods that are prefix tuning with other defaults (as JSON text).
std::unique_ptr<Method> make_prefix(const Settings& settings);
std::vector<MethodOption> prefix_options(const std::string& init_std, const std::string& dropout);

}  // namespace lk
