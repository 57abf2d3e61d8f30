// Numbers by layer and place as a picture.
#pragma once

#include <string>

#include "peft/layer_map.h"

namespace lk {

// <svg>, complete in itself: a row for each layer, the last on top, a column for each place; the
// darker a cell, the larger its number, which stands in it. Cells without a number are left out.
std::string heat_map_svg(const LayerMap& map);

}  // namespace lk
