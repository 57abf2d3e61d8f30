// The options of fine-tuning methods as flags, for the tools that start a method.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "peft/method.h"

namespace lk {

using MethodFlags = std::map<std::string, std::string>;  // flag to what was given

// A flag for each option of the registry's methods; one that several methods have is one flag,
// whose text names them.
void add_method_options(CLI::App& app, MethodFlags& flags);

// The settings of a method: its defaults, then what the command line gave. Error for a flag that is
// not the method's.
Settings method_settings(const MethodInfo& info, const MethodFlags& given);

}  // namespace lk
