#include "peft/layer_map.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace lk {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> split(const std::string& name) {
  std::vector<std::string> out(1);
  for (const char c : name) {
    if (c == '.')
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

struct Cell {
  std::string stack;  // "encoder" or "decoder" of a model that has both
  int64_t layer;      // -1: outside the layers
  std::string place;
};

Cell cell_of(const std::string& name) {
  Cell cell{"", -1, ""};
  std::string before;
  for (const std::string& part : split(name)) {
    if (is_number(part)) {
      // T5 numbers the parts of a block too ("layer.0.SelfAttention"): they are named well enough.
      if (cell.layer < 0) cell.layer = std::stoll(part.substr(0, 9));
      if (cell.place == "layer") cell.place.clear();
      continue;
    }
    if (part == "encoder" || part == "decoder") cell.stack = part;
    if (cell.layer >= 0) cell.place += (cell.place.empty() ? "" : ".") + part;
    before += (before.empty() ? "" : ".") + part;
  }
  if (cell.layer < 0) cell.place = before;
  return cell;
}

// The module of a LoRA's A matrix; "" for other tensors.
std::string module_of_a(std::string name) {
  for (const char* prefix : {"base_model.model."})
    if (name.rfind(prefix, 0) == 0) name = name.substr(std::string(prefix).size());
  const size_t at = std::min(name.find(".lora_A"), name.find(".lora_embedding_A"));
  if (at == std::string::npos) return "";
  const std::string rest = name.substr(name.find("_A", at) + 2);
  if (!rest.empty() && rest[0] != '.') return "";
  name = name.substr(0, at);
  return name.substr(0, name.find(".loras."));  // AdapterHub's
}

}  // namespace

bool LayerMap::constant() const {
  const auto is_number = [](double v) { return !std::isnan(v); };
  const auto first = std::find_if(values.begin(), values.end(), is_number);
  return std::all_of(first, values.end(), [&](double v) { return v == *first || !is_number(v); });
}

LayerMap layer_map(const std::string& title, std::span<const NamedNumber> numbers) {
  struct Mean {
    double sum = 0;
    int count = 0;
  };
  LayerMap map{title, {}, {}, {}};
  std::map<std::pair<bool, int64_t>, std::map<std::string, Mean>> rows;  // a decoder's come last
  bool encoder = false, decoder = false;
  for (const NamedNumber& n : numbers) {
    Cell cell = cell_of(n.name);
    cell.place = n.group + (n.group.empty() || cell.place.empty() ? "" : " ") + cell.place;
    if (std::find(map.places.begin(), map.places.end(), cell.place) == map.places.end())
      map.places.push_back(cell.place);
    encoder |= cell.stack == "encoder";
    decoder |= cell.stack == "decoder";
    Mean& mean = rows[{cell.stack == "decoder", cell.layer}][cell.place];
    mean.sum += n.value;
    ++mean.count;
  }
  for (const auto& [key, cells] : rows) {
    const auto& [of_decoder, layer] = key;
    const std::string number = layer < 0 ? "outside" : std::to_string(layer);
    const char* stack =
        encoder && decoder && layer >= 0 ? of_decoder ? "decoder " : "encoder " : "";
    map.layers.push_back(stack + number);
    for (const std::string& place : map.places) {
      const auto found = cells.find(place);
      map.values.push_back(found == cells.end() ? std::numeric_limits<double>::quiet_NaN()
                                                : found->second.sum / found->second.count);
    }
  }
  return map;
}

LayerMap rank_map(std::span<const NamedShape> tensors) {
  std::vector<NamedNumber> ranks;
  for (const NamedShape& t : tensors)
    if (const std::string module = module_of_a(t.name); !module.empty() && t.shape.rank() == 2)
      ranks.push_back({module, "", static_cast<double>(t.shape[0])});
  return layer_map("rank", ranks);
}

std::string text_of(const LayerMap& map) {
  size_t wide = map.title.size();
  for (const std::string& layer : map.layers) wide = std::max(wide, layer.size());
  std::string out = fmt::format("{:<{}}", map.title, wide);
  for (size_t p = 0; p < map.places.size(); ++p)
    out += fmt::format("{:>8}", fmt::format("[{}]", p + 1));
  out += "\n";
  for (size_t l = 0; l < map.layers.size(); ++l) {
    out += fmt::format("{:<{}}", map.layers[l], wide);
    for (size_t p = 0; p < map.places.size(); ++p) {
      const double v = map.at(l, p);
      out += fmt::format("{:>8}", std::isnan(v) ? "-" : fmt::format("{:.4g}", v));
    }
    out += "\n";
  }
  for (size_t p = 0; p < map.places.size(); ++p)
    out += fmt::format("[{}] {}\n", p + 1, map.places[p]);
  return out;
}

}  // namespace lk
