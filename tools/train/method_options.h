// The options of fine-tuning methods on the command line.
#pragma once

#include <map>
#include <string>

#include "peft/method.h"

namespace CLI {
class App;
}

namespace lk {

using MethodFlags = std::map<std::string, std::string>;  // flag to what was given, "" for nothing

// Every method's flags; one that several have is one option, whose text names them.
void add_method_options(CLI::App& app, MethodFlags& flags);

// The settings of a method: its defaults, then those of the variant ("": the method's usual one),
// then what the command line gave. Error for a flag of another method.
Settings method_settings(const MethodInfo& info, const std::string& variant,
                         const MethodFlags& given);

}  // namespace lk
