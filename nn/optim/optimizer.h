// Optimizers over named parameters: AdamW, SGD, Lion, Adafactor; AdamW and Lion with 8-bit states,
// and AdamW with paged states.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autograd/var.h"

namespace lk {

struct ParamGroup {
  std::vector<std::pair<std::string, Var>> params;  // leaves in f32 or f64
  double lr_scale = 1.0;                            // of the learning rate (LoRA+)
  double weight_decay = 0.0;
};

struct OptimizerConfig {
  std::string name = "adamw";  // one of known_optimizers()
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double momentum = 0.9;        // sgd
  double clip_threshold = 1.0;  // adafactor: of the update's root mean square
  double decay_rate = -0.8;     // adafactor: beta2 at step t is 1 - t^decay_rate
  bool scale_parameter =
      false;  // adafactor: the rate is relative to the parameter's root mean square
  // Of the paged ones, on the CPU: where their states lie meanwhile. On the device they lie in
  // managed memory (engine/paged.h).
  std::filesystem::path page_file = {};
};

class Optimizer {
 public:
  explicit Optimizer(std::vector<ParamGroup> groups) : groups_(std::move(groups)) {}
  virtual ~Optimizer() = default;
  // One update with the gradients that are there; parameters without one are left alone. Gradients
  // are not changed. Values are updated in place.
  void step(double lr);
  void zero_grad();
  // The states by name ("exp_avg.PARAMETER"), for checkpoints; those not made yet are made now.
  virtual void visit_state(
      const std::function<void(const std::string& name, Tensor& state)>& f) = 0;
  int64_t steps = 0;
  const std::vector<ParamGroup>& groups() const { return groups_; }

 protected:
  struct Due {     // a parameter with a gradient
    size_t index;  // over all groups
    const Var& p;
  };
  // Those of one group; one after another by update() where an optimizer does not do it better.
  virtual void update_group(const std::vector<Due>& due, double lr, double weight_decay);
  virtual void update(size_t index, const Var& p, double lr, double weight_decay) = 0;
  std::vector<Var> all() const;
  std::vector<std::string> names() const;
  std::vector<ParamGroup> groups_;
};

// Error for an unknown name; it lists the known ones.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config,
                                          std::vector<ParamGroup> groups);
std::vector<std::string> known_optimizers();

// The L2 norm of all gradients; where it is above max_norm (> 0) they are scaled down to it, as
// torch.nn.utils.clip_grad_norm_ does. A norm that is not finite is returned and nothing is
// changed.
double clip_grad_norm(const std::vector<ParamGroup>& groups, double max_norm);

}  // namespace lk
