// The makers of the optimizers, one file each.
#pragma once

#include "nn/optim/optimizer.h"

namespace lk {

std::unique_ptr<Optimizer> make_adamw(const OptimizerConfig& config,
                                      std::vector<ParamGroup> groups);
std::unique_ptr<Optimizer> make_sgd(const OptimizerConfig& config, std::vector<ParamGroup> groups);
std::unique_ptr<Optimizer> make_lion(const OptimizerConfig& config, std::vector<ParamGroup> groups);
std::unique_ptr<Optimizer> make_adafactor(const OptimizerConfig& config,
                                          std::vector<ParamGroup> groups);

// States of one kind, one per parameter, zero at the start, counted as optimizer memory.
class StateList {
 public:
  StateList(std::string kind, std::vector<std::string> names, std::vector<Shape> shapes,
            std::vector<DType> dtypes)
      : kind_(std::move(kind)),
        names_(std::move(names)),
        shapes_(std::move(shapes)),
        dtypes_(std::move(dtypes)),
        states_(names_.size()) {}
  Tensor& operator[](size_t i) {
    if (!states_[i].defined()) {
      const CategoryScope optimizer(Category::optimizer);
      states_[i] = Tensor::zeros(shapes_[i], dtypes_[i]);
    }
    return states_[i];
  }
  void visit(const std::function<void(const std::string&, Tensor&)>& f) {
    for (size_t i = 0; i < states_.size(); ++i)
      if (shapes_[i].numel() > 0) f(kind_ + "." + names_[i], (*this)[i]);
  }

 private:
  std::string kind_;
  std::vector<std::string> names_;
  std::vector<Shape> shapes_;
  std::vector<DType> dtypes_;
  std::vector<Tensor> states_;
};

// A list shaped like the parameters.
StateList like_parameters(const std::string& kind, const std::vector<std::string>& names,
                          const std::vector<Var>& params);

}  // namespace lk
