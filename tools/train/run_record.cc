#include "tools/train/run_record.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/files/atomic_file.h"
#include "engine/files/json.h"

namespace lk {
namespace {

using nlohmann::json;

json json_of(const LayerMap& map) {
  json values = json::array();
  for (const double v : map.values) values.push_back(std::isnan(v) ? json() : json(v));
  return {{"title", map.title}, {"layers", map.layers}, {"places", map.places}, {"values", values}};
}

LayerMap map_of(const json& j) {
  LayerMap map{j.at("title").get<std::string>(),
               j.at("layers").get<std::vector<std::string>>(),
               j.at("places").get<std::vector<std::string>>(),
               {}};
  for (const json& v : j.at("values"))
    map.values.push_back(v.is_null() ? std::numeric_limits<double>::quiet_NaN() : v.get<double>());
  return map;
}

}  // namespace

void write_record(const std::filesystem::path& file, const RunRecord& r) {
  json out{{"method", r.method},
           {"examples", r.examples},
           {"steps", r.steps},
           {"planned_steps", r.planned_steps},
           {"scored_records", r.scored},
           {"held_out_records", r.held_out},
           {"train_seconds", r.train_seconds},
           {"score_seconds", r.score_seconds},
           {"trained_parameters", r.trained_parameters},
           {"total_parameters", r.total_parameters},
           {"peak_memory_bytes", r.peak_memory_bytes}};
  if (!r.before.empty()) out["before"] = r.before;
  out["after"] = r.after;
  for (const LayerMap& map : r.maps) out["maps"].push_back(json_of(map));
  write_file_atomically(file, out.dump(2) + "\n");
}

RunRecord read_record(const std::filesystem::path& file) {
  const json j = read_json(file);
  RunRecord r;
  try {
    r.method = j.at("method").get<std::string>();
    r.steps = j.at("steps").get<int64_t>();
    r.train_seconds = j.at("train_seconds").get<double>();
    r.trained_parameters = j.at("trained_parameters").get<int64_t>();
    r.total_parameters = j.at("total_parameters").get<int64_t>();
    r.peak_memory_bytes = j.at("peak_memory_bytes").get<int64_t>();
    r.after = j.at("after").get<std::map<std::string, double>>();
    // What files of older runs may lack.
    r.examples = j.value("examples", r.examples);
    r.planned_steps = j.value("planned_steps", r.steps);
    r.scored = j.value("scored_records", r.scored);
    r.held_out = j.value("held_out_records", r.held_out);
    r.score_seconds = j.value("score_seconds", r.score_seconds);
    r.before = j.value("before", r.before);
    for (const json& map : j.value("maps", json::array())) r.maps.push_back(map_of(map));
  } catch (const json::exception& e) {
    fail("{}: no results of a run: {}", file.string(), e.what());
  }
  for (const LayerMap& map : r.maps)
    require(map.values.size() == map.layers.size() * map.places.size(),
            "{}: the map '{}' has {} values for {} layers and {} places", file.string(), map.title,
            map.values.size(), map.layers.size(), map.places.size());
  return r;
}

}  // namespace lk
