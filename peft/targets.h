// Which linear layers a method works on.
#pragma once

#include <string>
#include <vector>

#include "nn/model.h"
#include "peft/settings.h"

namespace lk {

// The layers that `target_modules` names, as HF PEFT matches them: a list holds whole names or
// endings after a dot; a string is a regular expression for the whole name, or "all-linear" (all
// but the head). Absent, the usual ones of the architecture. Roles (q k v o qkv gate up down) are
// understood too, where no module has that name. Error when nothing matches; it lists the module
// names that are near.
std::vector<Linear*> target_linears(Model& model, const Settings& settings);

std::vector<std::string> default_targets(const std::string& model_type);

}  // namespace lk
