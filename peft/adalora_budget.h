// AdaLoRA's importance scores, and which triplets stay (peft/adalora.cc has the equations).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "nn/parameter.h"

namespace lk {

struct Triplets {  // of one matrix
  Parameter *a, *e, *b;
};

class Budget {
 public:
  int64_t target_r = 8, t_init = 0, t_final = 0, interval = 1, total = 0;
  double beta1 = 0.85, beta2 = 0.85;

  bool empty() const { return matrices_.empty(); }
  void add(const Triplets& triplets);
  // Triplets that may be kept after `step`, and whether an allocation is due.
  std::pair<int64_t, bool> at(int64_t step) const;
  // Takes the gradients of the latest update into Ī and Ū.
  void score();
  // Sets the λ outside the budget to 0, where an allocation is due or forced.
  void allocate(int64_t step, bool force);
  void visit_state(const std::function<void(const std::string&, Tensor&)>& f);

 private:
  struct Scored {
    Parameter* parameter;
    Tensor importance, uncertainty;  // Ī, Ū
    double element(int64_t i) const {
      return static_cast<double>(importance.data<float>()[i]) * uncertainty.data<float>()[i];
    }
  };
  struct Matrix {
    Scored a, e, b;
  };
  void score(Scored& s) const;
  std::vector<double> scores(const Matrix& m) const;  // S_i
  std::vector<Matrix> matrices_;
  int64_t initial_ = 0;  // b0
};

}  // namespace lk
