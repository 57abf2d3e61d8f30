// The `adapterhub` cases of the reference's indices, a line for each.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/peft/adapter_case.h"
#include "tests/support.h"

namespace lk {
namespace {

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

std::vector<test::Comparison> check(const test::OracleCase& given) {
  const test::TempDir dir;
  test::AdapterCase c = test::open_adapter_case(completed(given.folder, dir), given.base);
  const auto& read = c.batch.source_ids.empty() ? c.batch.ids : c.batch.source_ids;
  const bool gated =
      c.config.settings.json().dump().find("\"use_gating\":true") != std::string::npos &&
      static_cast<int64_t>(read.size()) < c.vectors->get("in.input_ids").numel();
  const std::string difference = test::rewritten_difference(c);
  require(difference.empty(), "written again: {}", difference);
  if (gated) keep_full_documents(c);
  std::vector<test::Comparison> out{{"logits", test::logits_error(c), given.logits}};
  if (gated) return out;  // loss and gradients are sums over all documents
  out.push_back({"loss", test::loss_error(c), given.loss});
  size_t left = 0;
  for (const std::string& name : c.vectors->names()) left += name.rfind("grad.", 0) == 0 ? 1 : 0;
  for (const auto& [name, g] : test::file_gradients(c)) {
    if (!c.vectors->has("grad." + name)) continue;  // a second name of a shared tensor
    --left;
    const Tensor expected = c.vectors->get("grad." + name);
    out.push_back(
        {name, test::max_difference(g, expected) / test::max_magnitude(expected), given.grad_rel});
  }
  require(left == 0, "{} gradients were not compared", left);
  return out;
}

TEST_CASE("AdapterHub's adapters: logits, loss, gradients, files") {
  CHECK(test::walk_oracle("adapterhub", check) == 0);
}

}  // namespace
}  // namespace lk
