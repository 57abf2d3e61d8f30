// From a Hugging Face model folder to a Model, and back.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/files/safetensors.h"
#include "engine/files/weight_files.h"
#include "nn/config.h"
#include "nn/model.h"

namespace lk {

// Where a folder keeps the weight of a linear layer.
struct StoredWeight {
  const WeightFiles& files;
  std::string name;    // the tensor's, and the beginning of the names of what belongs to it
  bool in_out;         // a dense one is stored [in, out]
  std::string folder;  // for messages
};

// Makes weights other than dense ones for linear layers (quant/ does), one by one while a model is
// loaded or made. nullptr: the layer keeps its dense weight.
class WeightFactory {
 public:
  virtual ~WeightFactory() = default;
  virtual std::unique_ptr<Weight> load(const Linear& linear, const StoredWeight& stored) const = 0;
  // Whether make() would give a weight for this layer.
  virtual bool wants(const Linear& linear) const = 0;
  // w: [in, out] where in_out, otherwise [out, in]; name: of the tensor.
  virtual std::unique_ptr<Weight> make(const Linear& linear, const std::string& name,
                                       const Tensor& w, bool in_out) const = 0;
};

struct LoadOptions {
  Task task = Task::causal_lm;
  int64_t labels = 0;                      // classes of a new head; 0: what config.json says
  DType compute = DType::f32;              // matrices are held in it; norms and biases in f32
  uint64_t seed = 0;                       // for weights that the files lack
  const WeightFactory* weights = nullptr;  // asked first for the weight of each linear layer
};

struct LoadedModel {
  std::unique_ptr<Model> model;
  Config config;
  std::vector<std::string> initialised;  // parameters the files lack, now random: a new head
  std::vector<std::string> unused;       // tensors of the files that the model has no place for
};

// FOLDER holds config.json and weights (engine/files/weight_files.h). Matrices whose dtype is
// already `compute` stay in the mapped file. Missing weights are an Error, but for a task head's.
LoadedModel load_model(const std::filesystem::path& folder, const LoadOptions& options);

// An untrained model: N(0, initializer_range), norms 1, biases 0.
std::unique_ptr<Model> make_model(const Config& config, Task task, DType compute, uint64_t seed,
                                  const WeightFactory* weights = nullptr);

// The model without weights, as config.json describes it; Error for an architecture not known.
std::unique_ptr<Model> build_model(const Config& config, Task task);
std::vector<std::string> known_model_types();
// The task that the class of a config.json stands for; `none` for an encoder without a known head.
Task task_of(const Config& config);

// Writes config.json (the loaded one, with `updates` to the labels where the head is new) and the
// weights in `dtype`, in shards where they take more than max_shard_bytes.
void save_model(Model& model, const Config& config, const std::filesystem::path& folder,
                DType dtype, const std::vector<std::string>& label_names = {},
                int64_t max_shard_bytes = kMaxShardBytes);

// Fills a parameter at random, reproducibly from (seed, name). std 0: zeros for biases, ones for
// norms.
void initialise(Parameter& parameter, double std, uint64_t seed, DType compute);

}  // namespace lk
