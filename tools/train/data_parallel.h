// Data-parallel training: each process has the whole model and computes its share of an update's
// batches; the gradients' sum is the same in all of them, and so is every update. What an update is
// does not depend on how many processes share it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/communicator.h"
#include "nn/optim/optimizer.h"

namespace lk {

class DataParallel {
 public:
  // processes: null where this one is alone. device: of the parameters. Error where an update has
  // fewer batches than there are processes.
  DataParallel(Communicator* processes, Device device, int64_t batches_in_update);
  // The one that writes files and talks to the person.
  bool is_first() const { return host_.rank() == 0; }
  // Whether batch i of an update is this process's.
  bool has(size_t i) const {
    return static_cast<int>(i % static_cast<size_t>(host_.size())) == host_.rank();
  }

  // Error unless all processes train the same.
  void check_same(const std::string& fingerprint);
  // What the first one has becomes what all have.
  void broadcast(const std::vector<Tensor>& tensors);
  void broadcast(std::vector<int64_t>& values);
  double sum(double value);
  bool any(bool value) { return sum(value ? 1 : 0) > 0; }
  // A parameter that has a gradient in some process has the sum in all.
  void sum_gradients(const std::vector<ParamGroup>& groups);

 private:
  Communicator& of(Device device) { return device == Device::cpu ? host_ : *device_; }
  Alone alone_;
  Communicator& host_;
  std::unique_ptr<Communicator> device_;
};

}  // namespace lk
