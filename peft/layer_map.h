// Numbers by layer and place in it, such as the ranks that AdaLoRA left in each matrix: for tables
// and heat maps.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "nn/parameter.h"

namespace lk {

struct LayerMap {
  std::string title;
  std::vector<std::string> layers, places;  // "3", or "decoder 3"; "attention.self.query"
  std::vector<double> values;               // [layers, places]; NaN where there is none
  double at(size_t layer, size_t place) const { return values[layer * places.size() + place]; }
  bool constant() const;  // one number everywhere where there is one
};

// A parameter's number, or a module's.
struct NamedNumber {
  std::string name;   // "bert.encoder.layer.3.attention.self.query"
  std::string group;  // put before the place: "lora"; may be ""
  double value;
};
// The layer is the first number in a name, the place what follows it. Layers are sorted, places
// stand as they come first; numbers of one cell are averaged.
LayerMap layer_map(const std::string& title, std::span<const NamedNumber> numbers);

// The ranks of LoRA's A matrices (AdaLoRA's, DoRA's, ...) by the names and shapes of an adapter's
// tensors; no layers where there are none.
struct NamedShape {
  std::string name;
  Shape shape;
};
LayerMap rank_map(std::span<const NamedShape> tensors);

// Columns under numbers, which the lines behind the table name; empty cells are "-".
std::string text_of(const LayerMap& map);

}  // namespace lk
