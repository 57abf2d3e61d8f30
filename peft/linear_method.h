// What the methods that sit inside linear layers have in common: which layers they take, biases,
// switching off, merging.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/rng.h"
#include "peft/method.h"
#include "peft/targets.h"

namespace lk {

// Where a part goes, and what it may use when it is made.
struct Place {
  std::string module;    // Hugging Face's name
  int64_t in, out;       // features; of an embedding: rows and width
  Linear* linear;        // null for an embedding
  Embedding* embedding;  // null for a linear layer
  Model& model;
  Random random;         // of initial values
  DType dtype() const {  // of parameters: f64 in an f64 model, so that gradients can be checked
    return model.compute_dtype() == DType::f64 ? DType::f64 : DType::f32;
  }
  // A parameter named as HF PEFT's files name it, with its initial value.
  Parameter parameter(const std::string& name, const Tensor& value) const {
    Parameter p("base_model.model." + module + "." + name, value.shape());
    p.set(value);
    return p;
  }
  Tensor constant(const Shape& shape, double value) const {
    return Tensor::full(shape, dtype(), value);
  }
  Tensor uniform(const Shape& shape, double bound);  // U(-bound, bound)
  Tensor normal(const Shape& shape, double std);
};

class LinearMethod : public Method {
 public:
  explicit LinearMethod(const Settings& settings);
  void attach(Model& model, uint64_t seed) override;
  void visit(const ParameterVisitor& f) override;
  // With bias "all", HF PEFT writes a head's bias twice more: as it was, and as it is.
  void visit_frozen(const ParameterVisitor& f) override;
  bool selects(const std::string& parameter) const override;
  std::string file_name(const std::string& parameter) const override;
  // The layer is asked what it makes of the unit vectors: whatever a part computes, linear in x,
  // has one way to be merged.
  void merge(Model& model) override;
  void unmerge(Model& model) override;
  void set_enabled(Model& model, bool on) override;
  const Settings& settings() const override { return settings_; }

 protected:
  // The layers it takes when none are named.
  virtual std::vector<std::string> usual_targets(const Model& model) const {
    return default_targets(model.info().model_type);
  }
  // Before the parts are made.
  virtual void begin(Model&, const Targets&) {}
  virtual std::shared_ptr<LinearAdapter> make_part(Place& place) = 0;
  virtual std::shared_ptr<EmbeddingAdapter> make_embedding_part(Place& place);
  // For a part whose start changes the base weight: what brings the original back.
  void base_replaced(const Linear& linear, std::function<void()> original);

  Settings settings_;
  struct Site {
    Linear* linear;
    std::shared_ptr<LinearAdapter> part;
    std::function<void()> unmerge;
    Var bias;  // as it was before merging
  };
  struct EmbeddingSite {
    Embedding* embedding;
    std::shared_ptr<EmbeddingAdapter> part;
    Var table;  // as it was before merging
  };
  std::vector<Site> sites_;
  std::vector<EmbeddingSite> embedding_sites_;

 private:
  void merge_linear(Model& model, Site& site) const;
  std::string bias_mode_;  // none, all, lora_only (biases of the targets)
  std::set<std::string> biases_;
  struct HeadBias {
    Parameter* now;
    Parameter original;
  };
  std::vector<HeadBias> head_biases_;
  std::map<const Linear*, std::function<void()>> originals_, replaced_;
  bool merged_ = false, enabled_ = true;
};

// The number that rank_pattern or alpha_pattern gives for a module: its key is the whole name, an
// ending after a dot, or a regular expression for one; `otherwise` where none fits.
double pattern_value(const Settings& settings, const std::string& key, const std::string& module,
                     double otherwise);
// The rank of a module, with rank_pattern; Error when it is above the matrix's.
int64_t rank_of(const Settings& settings, const std::string& key, const Place& place);

// The value of an `init_weights` key: whether a new adapter starts where it changes nothing.
bool starts_neutral(const Settings& settings);

// The options that all of them have: which modules, layers, biases.
std::vector<MethodOption> with_target_options(std::vector<MethodOption> own, bool bias = true);

}  // namespace lk
