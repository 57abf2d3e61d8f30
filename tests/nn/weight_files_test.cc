// The layouts of a model folder's weights: each gives the same model.
#include "engine/files/weight_files.h"

#include <nlohmann/json.hpp>

#include "peft/adapter_files.h"
#include "tests/oracle.h"
#include "tests/support.h"
#include "tests/tiny_models.h"
#include "tests/torch_writer.h"

namespace lk {
namespace {

const std::filesystem::path kModel = "tests/vectors/models/gpt2";

std::vector<NamedTensor> tensors_of(const std::filesystem::path& file) {
  std::vector<NamedTensor> out;
  const WeightFiles files = WeightFiles::open(file);
  for (const std::string& name : files.names()) out.push_back({name, files.get(name)});
  return out;
}

// Every parameter has the same bits as in kModel.
void check_same_model(const std::filesystem::path& folder) {
  const LoadedModel expected = load_model(kModel, {}), loaded = load_model(folder, {});
  CHECK(loaded.initialised.empty());
  std::map<std::string, Tensor> by_name;
  expected.model->visit_parameters([&](Parameter& p) { by_name[p.name] = p.var.value(); });
  loaded.model->visit_parameters([&](Parameter& p) {
    CAPTURE(p.name);
    CHECK(test::same_bits(p.var.value(), by_name.at(p.name)));
    by_name.erase(p.name);
  });
  CHECK(by_name.empty());
}

TEST_CASE("weight files: a folder with pytorch_model.bin, whole or in shards") {
  const test::TempDir dir;
  std::filesystem::copy_file(kModel / "config.json", dir / "config.json");
  const std::vector<NamedTensor> tensors = tensors_of(kModel);
  test::write_file(dir / "pytorch_model.bin", test::torch_file_of(tensors));
  check_same_model(dir.path());
  std::filesystem::remove(dir / "pytorch_model.bin");
  CHECK(test::error_of([&] { load_model(dir.path(), {}); }).find("there are no weights") !=
        std::string::npos);
  nlohmann::json index;
  for (size_t shard = 0; shard < 2; ++shard) {
    std::vector<NamedTensor> part;
    const std::string file = "pytorch_model-0000" + std::to_string(shard + 1) + "-of-00002.bin";
    for (size_t i = shard; i < tensors.size(); i += 2) {
      part.push_back(tensors[i]);
      index["weight_map"][tensors[i].name] = file;
    }
    test::write_file(dir / file, test::torch_file_of(part));
  }
  test::write_file(dir / "pytorch_model.bin.index.json", index.dump());
  check_same_model(dir.path());
  // Safetensors come first.
  test::write_file(dir / "model.safetensors", "broken");
  CHECK(test::error_of([&] { load_model(dir.path(), {}); }).find("model.safetensors: ") !=
        std::string::npos);
}

TEST_CASE("weight files: shards are no larger than asked, and what an earlier save left goes") {
  const test::TempDir dir;
  const LoadedModel loaded = load_model(kModel, {});
  const int64_t most = 3000;
  const auto shards = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
      count += entry.path().extension() == ".safetensors";
    return count;
  };
  save_model(*loaded.model, loaded.config, dir.path(), DType::f32, {}, most);
  check_same_model(dir.path());
  CHECK(shards() > 2);
  const nlohmann::json index =
      nlohmann::json::parse(test::read_file(dir / "model.safetensors.index.json"));
  int64_t total = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    if (entry.path().extension() != ".safetensors") continue;
    CAPTURE(entry.path().string());
    int64_t bytes = 0;
    const std::vector<NamedTensor> tensors = tensors_of(entry.path());
    for (const NamedTensor& t : tensors) {
      bytes += t.tensor.bytes();
      CHECK(index["weight_map"][t.name] == entry.path().filename().string());
    }
    CHECK((bytes <= most || tensors.size() == 1));
    total += bytes;
  }
  CHECK(index["metadata"]["total_size"] == total);
  const int many = shards();
  save_model(*loaded.model, loaded.config, dir.path(), DType::f32, {}, total / 2 + 1);
  CHECK(shards() < many);
  check_same_model(dir.path());
  save_model(*loaded.model, loaded.config, dir.path(), DType::f32);
  CHECK(shards() == 1);
  CHECK_FALSE(std::filesystem::exists(dir / "model.safetensors.index.json"));
  check_same_model(dir.path());
  save_model(*loaded.model, loaded.config, dir.path(), DType::f32, {}, most);
  CHECK_FALSE(std::filesystem::exists(dir / "model.safetensors"));
  check_same_model(dir.path());
}

// Files of older writers begin their data anywhere. Such tensors are copied, and what frees the
// pages of a read file must not free the copy's.
TEST_CASE("weight files: tensors that are not aligned in the file, larger than a page") {
  const test::TempDir dir;
  const Config config = Config::parse(
      R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 600,
          "n_embd": 64, "n_layer": 1, "n_head": 2, "n_positions": 16})",
      "config.json");
  const auto model = make_model(config, Task::causal_lm, DType::f32, 3);
  save_model(*model, config, dir.path(), DType::f32);
  std::string bytes = test::read_file(dir / "model.safetensors");
  uint64_t header;
  std::memcpy(&header, bytes.data(), 8);
  bytes.insert(8 + header, " ");  // JSON may end in blanks
  ++header;
  std::memcpy(bytes.data(), &header, 8);
  test::write_file(dir / "model.safetensors", bytes);
  const LoadedModel loaded = load_model(dir.path(), {});
  std::vector<Tensor> expected;
  model->visit_parameters([&](Parameter& p) { expected.push_back(p.var.value()); });
  size_t i = 0;
  loaded.model->visit_parameters([&](Parameter& p) {
    CAPTURE(p.name);
    CHECK(test::same_bits(p.var.value(), expected[i++]));
  });
  CHECK(i == expected.size());
}

TEST_CASE(
    "weight files: an adapter_model.bin is read where there is no adapter_model.safetensors") {
  const test::TempDir dir;
  const std::filesystem::path adapter = "tests/vectors/peft/lora-qv-gpt2";
  std::filesystem::copy_file(adapter / "adapter_config.json", dir / "adapter_config.json");
  test::write_file(dir / "adapter_model.bin",
                   test::torch_file_of(tensors_of(adapter / "adapter_model.safetensors")));
  const auto vectors = SafetensorsFile::open(adapter / "vectors.safetensors");
  const test::OracleBatch batch = test::read_batch(*vectors, "in.");
  const auto logits = [&](const std::filesystem::path& folder) {
    LoadedModel base = load_model(kModel, {});
    const auto method = load_adapter(folder, read_adapter_config(folder), *base.model);
    return test::logits_of(*base.model, batch);
  };
  CHECK(test::same_bits(logits(dir.path()), logits(adapter)));
}

}  // namespace
}  // namespace lk
