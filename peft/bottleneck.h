// The bottleneck that all adapters between layers have in common, with AdapterHub's switches; a
// method is a choice of them (houlsby.cc, pfeiffer.cc, parallel.cc, compacter.cc).
//   u = s W_up f(W_down x + b_down) + b_up             W_down [b, d], W_up [d, b]
#pragma once

#include <memory>

#include "nn/model.h"
#include "peft/gate.h"
#include "peft/settings.h"

namespace lk {

// Keys of AdapterHub's configuration (BnConfig).
struct BottleneckOptions {
  explicit BottleneckOptions(const Settings& settings);
  bool after_attention, after_cross, after_ffn;  // mh_adapter, cross_adapter, output_adapter
  double reduction_factor;                       // b = d / reduction_factor
  std::string activation;                        // non_linearity
  // Sequential: the adapter reads the sublayer's output, first run through residual and norm of a
  // post-norm block where original_ln_before says so; what it adds to is that output as it came
  // ("true"), after the sum ("post_add") or after the norm ("false").
  bool original_ln_before;
  std::string residual_before_ln;
  bool parallel;               // reads what the sublayer reads instead
  bool parallel_reads_stream;  // in pre-norm blocks before the norm (AdapterHub), not after it
  bool ln_before, ln_after, adapter_residual_before_ln;  // norms of its own
  std::string scaling;                                   // a number, "learned" or "channel"
  float dropout;
  std::string init_weights;  // bert, mam_adapter or houlsby
  double init_std;           // of houlsby
  bool gated;
  int64_t phm_dim, phm_rank;  // 0: plain matrices; else Compacter's
  bool shared_phm_rule;
  double phm_init_range;
  std::vector<int64_t> leave_out;  // layers
};

// One matrix with its bias, plain or a parametrised hypercomplex product.
class BottleneckLinear {
 public:
  BottleneckLinear(const std::string& name, int64_t in, int64_t out, const BottleneckOptions& o,
                   std::shared_ptr<Parameter> shared_rule);
  void initialise(const BottleneckOptions& o, bool down, uint64_t seed, uint64_t& stream);
  Var operator()(const Var& x) const;
  void visit(const ParameterVisitor& f);

 private:
  bool phm_;
  int64_t in_;
  Parameter weight_, left_, right_, bias_;
  std::shared_ptr<Parameter> rule_, own_rule_;
};

class Bottleneck : public BlockAdapter {
 public:
  // module: prefix of the parameters' names.
  Bottleneck(const std::string& module, int64_t d, const BottleneckOptions& options,
             const std::shared_ptr<Parameter>& shared_rule, const bool* training);
  void initialise(uint64_t seed, uint64_t& stream);
  Var forward(const Var& h, const Sublayer& at) override;
  void visit(const ParameterVisitor& f) override;
  const Gate& gate() const { return gate_; }

 private:
  BottleneckOptions options_;
  BottleneckLinear down_, up_;
  Parameter scaling_, norm_before_[2], norm_after_[2];
  Gate gate_;
  const bool* training_;  // the model's flag
};

// The adapters of a whole model.
class Bottlenecks {
 public:
  // Plugs them in; adapter: the name that AdapterHub gives it.
  void attach(Model& model, const BottleneckOptions& options, const std::string& adapter,
              uint64_t seed);
  void visit(const ParameterVisitor& f);
  const std::vector<std::shared_ptr<Bottleneck>>& all() const { return all_; }

 private:
  std::shared_ptr<Parameter> rule_;  // shared by Compacter's matrices
  std::vector<std::shared_ptr<Bottleneck>> all_;
};

}  // namespace lk
