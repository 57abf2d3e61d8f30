// Walks the `adapterhub` cases of a folder of reference vectors (ORACLE_DIR, default
// ../shared/oracle); skipped when it is not there. Small ones of tests/vectors run always.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/files/json.h"
#include "tests/peft/adapter_case.h"
#include "tests/support.h"

namespace lk {
namespace {

struct Tolerance {
  double logits = 2e-4, loss = 1e-5, gradient = 2e-3;
};

// The reference's gates average over padding too, which is not computed here: of a gated adapter
// the documents without padding are compared, whose gates see the same tokens.
void keep_full_documents(test::AdapterCase& c) {
  test::OracleBatch& batch = c.batch;
  const int64_t length = c.vectors->get("in.input_ids").dim(1);
  const auto& padded = batch.source_ids.empty() ? batch.packing.offsets : batch.source.offsets;
  size_t kept = 0;
  while (kept + 1 < padded.size() && padded[kept + 1] - padded[kept] == length) ++kept;
  REQUIRE(kept > 0);
  const auto cut = [&](Packing& packing, std::vector<std::vector<int32_t>*> columns) {
    const auto tokens = static_cast<size_t>(packing.offsets[kept]);
    for (auto* column : {&packing.positions, &packing.type_ids}) columns.push_back(column);
    for (auto* column : columns)
      if (!column->empty()) column->resize(tokens);
    if (!packing.first_labels.empty()) packing.first_labels.resize(kept);
    packing.offsets.resize(kept + 1);
    return tokens;
  };
  batch.places.resize(cut(batch.packing, {&batch.ids, &batch.labels}));
  if (!batch.source_ids.empty()) cut(batch.source, {&batch.source_ids});
  if (!batch.class_labels.empty()) batch.class_labels.resize(kept);
}

// AdapterHub leaves what T5's adapters share out of the file (it looks for a model inside the
// model), so that its own adapters do not come back; this adds it from the vectors. `folder` itself
// where nothing is missing.
std::filesystem::path completed(const std::filesystem::path& folder, const test::TempDir& dir) {
  const auto file = SafetensorsFile::open(folder / "adapter.safetensors"),
             vectors = SafetensorsFile::open(folder / "vectors.safetensors");
  std::vector<NamedTensor> tensors;
  for (const std::string& name : vectors->names())
    if (name.rfind("param.shared_parameters.", 0) == 0 && !file->has(name.substr(6)))
      tensors.push_back({name.substr(6), vectors->get(name)});
  if (tensors.empty()) return folder;
  for (const std::string& name : file->names()) tensors.push_back({name, file->get(name)});
  save_safetensors(dir / "adapter.safetensors", tensors);
  for (const char* same : {"adapter_config.json", "vectors.safetensors"})
    std::filesystem::copy_file(folder / same, dir / same);
  return dir.path();
}

// "" where all agree, else what does not.
std::string check_case(const std::filesystem::path& folder, const std::filesystem::path& base,
                       const Tolerance& t) {
  const test::TempDir dir;
  test::AdapterCase c = test::open_adapter_case(completed(folder, dir), base);
  const auto& read = c.batch.source_ids.empty() ? c.batch.ids : c.batch.source_ids;
  const bool gated =
      c.config.settings.json().dump().find("\"use_gating\":true") != std::string::npos &&
      static_cast<int64_t>(read.size()) < c.vectors->get("in.input_ids").numel();
  std::string out = test::rewritten_difference(c);
  if (gated) keep_full_documents(c);
  const double logits = test::logits_error(c);
  if (!(logits <= t.logits)) out += fmt::format("logits {:.1e}; ", logits);
  if (gated) return out;  // loss and gradients are sums over all documents
  const double loss = test::loss_error(c);
  if (!(loss <= t.loss)) out += fmt::format("loss {:.1e}; ", loss);
  size_t compared = 0;
  for (const auto& [name, g] : test::file_gradients(c)) {
    if (!c.vectors->has("grad." + name)) continue;  // a second name of a shared tensor
    ++compared;
    const Tensor expected = c.vectors->get("grad." + name);
    const double error = test::max_difference(g, expected) / test::max_magnitude(expected);
    if (!(error <= t.gradient)) out += fmt::format("gradient of {} {:.1e}; ", name, error);
  }
  size_t all = 0;
  for (const std::string& name : c.vectors->names()) all += name.rfind("grad.", 0) == 0 ? 1 : 0;
  if (compared != all) out += fmt::format("{} of {} gradients compared; ", compared, all);
  return out;
}

TEST_CASE("AdapterHub's adapters, a few of each kind, UniPELT without padding") {
  const std::filesystem::path root = "tests/vectors/adapterhub";
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("base-", 0) == 0) continue;
    ++cases;
    CAPTURE(name);
    CHECK(check_case(entry.path(), root / ("base" + name.substr(name.rfind('-'))), {}) == "");
  }
  CHECK(cases >= 13);
}

TEST_CASE("AdapterHub's adapters: logits, loss, gradients, files") {
  const std::filesystem::path root = test::oracle_folder();
  if (!std::filesystem::exists(root / "index.json")) {
    fmt::print("skipped: there is no {} (set ORACLE_DIR)\n", (root / "index.json").string());
    return;
  }
  std::string waiting;
  const auto known = known_model_types();
  const nlohmann::json index = read_json(root / "index.json");
  for (const auto& entry : index.at("cases")) {
    if (entry.at("topic") != "adapterhub") continue;
    const auto name = entry.at("name").get<std::string>();
    CAPTURE(name);
    const std::filesystem::path base = root / entry.at("base").get<std::string>();
    const std::string type = Config::load(base).string("model_type", "");
    if (std::find(known.begin(), known.end(), type) == known.end()) {
      waiting += " " + name;
      continue;
    }
    const auto& t = entry.at("tolerance");
    std::string result;
    try {
      result = check_case(root / entry.at("dir").get<std::string>(), base,
                          {t.at("logits").get<double>(), t.at("loss").get<double>(),
                           t.at("grad_rel").get<double>()});
    } catch (const Error& e) {
      result = e.what();
    }
    fmt::print("{:34} {}\n", name, result.empty() ? "pass" : "FAIL " + result);
    CHECK(result == "");
  }
  if (!waiting.empty()) fmt::print("not supported yet:{}\n", waiting);
}

}  // namespace
}  // namespace lk
