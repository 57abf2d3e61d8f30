// Which linear layers a method works on.
#pragma once

#include <string>
#include <vector>

#include "nn/model.h"
#include "peft/settings.h"

namespace lk {

struct Targets {
  std::vector<Linear*> linears;
  std::vector<Embedding*> embeddings;
};

// The layers that `target_modules` names, as HF PEFT matches them: a list holds whole names or
// endings after a dot; a string is a regular expression for the whole name, or "all-linear" (all
// linear layers but the head). Absent or empty: `usual`. Roles (q k v o qkv gate up down) are
// understood too, where no module has that name. `exclude_modules` (matched likewise) and
// `layers_to_transform` with `layers_pattern` narrow it down. Error when a name matches nothing (of
// a saved adapter: when none does); it lists the module names that are near.
Targets find_targets(Model& model, const Settings& settings, const std::vector<std::string>& usual);

// Whether a module's name is one of the names or ends with one after a dot.
bool is_named(const std::string& module, const std::vector<std::string>& names);

// The usual layers of an architecture for LoRA and its kin: those of HF PEFT.
std::vector<std::string> default_targets(const std::string& model_type);

}  // namespace lk
