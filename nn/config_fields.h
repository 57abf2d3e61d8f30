// Which keys of config.json an architecture takes: a key that would change the result and is not
// supported is an Error that names it, never ignored.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nn/config.h"

namespace lk {

struct ConfigFields {
  std::vector<std::string> read;  // the model's file reads and checks them
  // Key and, as a JSON list, the values it may hold; null and a key that is absent pass.
  std::vector<std::pair<std::string, std::string>> only;
  std::vector<std::string> neutral;  // change neither logits nor loss
};

// Every key of `config` must be one of `fields`, or neutral in every architecture (use_cache,
// torch_dtype, ids and names of labels, defaults of generation, ...), or hold what stands for
// "nothing": null, false, 0, "" or an empty list or object. who: the architecture, for the message.
void check_fields(const Config& config, const std::string& who, const ConfigFields& fields);

}  // namespace lk
