// Models by name whose shape alone is wanted: to time random weights, or to plan for.
#pragma once

#include <string>
#include <vector>

#include "nn/config.h"

namespace lk {

std::vector<std::string> shape_names();
Config named_shape(const std::string& name);  // Error for an unknown name; it lists the known ones

}  // namespace lk
