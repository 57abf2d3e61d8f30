#include "tools/train/heat_map.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "tools/train/markup.h"

namespace lk {
std::string heat_map_svg(const LayerMap& map) {
  constexpr int kLeft = 96, kCell = 56, kRow = 26, kTop = 28, kChar = 6;
  double low = 0, high = 0;
  for (const double v : map.values)
    if (!std::isnan(v)) low = std::min(low, v), high = std::max(high, v);
  size_t longest = 0;
  for (const std::string& place : map.places) longest = std::max(longest, place.size());
  const int columns = static_cast<int>(map.places.size()),
            rows = static_cast<int>(map.layers.size());
  const int bottom = kTop + rows * kRow;
  // Names hang down from their columns.
  const int width = kLeft + columns * kCell + 16,
            height = bottom + 16 + kChar * static_cast<int>(longest);
  std::string out = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {} {}' width='{}' role='img' "
      "font-family='sans-serif' font-size='11'><text x='8' y='16'>{} by layer</text>",
      width, height, width, escape_markup(map.title));
  for (int l = 0; l < rows; ++l) {
    const auto layer = static_cast<size_t>(rows - 1 - l);
    const int y = kTop + l * kRow;
    out += fmt::format("<text x='{}' y='{}' text-anchor='end'>{}</text>", kLeft - 8, y + 17,
                       escape_markup(map.layers[layer]));
    for (int p = 0; p < columns; ++p) {
      const double v = map.at(layer, static_cast<size_t>(p));
      if (std::isnan(v)) continue;
      const double share = high > low ? (v - low) / (high - low) : 0;
      const auto shade = [&](int full) { return 255 - static_cast<int>(share * (255 - full)); };
      out += fmt::format(
          "<rect x='{}' y='{}' width='{}' height='{}' fill='rgb({},{},{})' stroke='#888'/>"
          "<text x='{}' y='{}' text-anchor='middle' fill='{}'>{:.3g}</text>",
          kLeft + p * kCell, y, kCell, kRow, shade(0), shade(68), shade(136),
          kLeft + p * kCell + kCell / 2, y + 17, share > 0.5 ? "#fff" : "#000", v);
    }
  }
  for (int p = 0; p < columns; ++p) {
    const int x = kLeft + p * kCell + kCell / 2 + 4;
    out += fmt::format("<text x='{0}' y='{1}' transform='rotate(90 {0} {1})'>{2}</text>", x - 8,
                       bottom + 8, escape_markup(map.places[static_cast<size_t>(p)]));
  }
  return out + "</svg>\n";
}

}  // namespace lk
