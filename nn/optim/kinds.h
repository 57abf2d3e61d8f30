// The makers of the optimizers, one file each, and what they keep their states in.
#pragma once

#include <map>

#include "engine/device.h"
#include "engine/paged.h"
#include "nn/optim/optimizer.h"

namespace lk {

using OptimizerMaker = std::unique_ptr<Optimizer> (*)(const OptimizerConfig&,
                                                      std::vector<ParamGroup>);
std::unique_ptr<Optimizer> make_adamw(const OptimizerConfig& config,
                                      std::vector<ParamGroup> groups);
std::unique_ptr<Optimizer> make_paged_adamw(const OptimizerConfig& config,
                                            std::vector<ParamGroup> groups);
std::unique_ptr<Optimizer> make_sgd(const OptimizerConfig& config, std::vector<ParamGroup> groups);
std::unique_ptr<Optimizer> make_lion(const OptimizerConfig& config, std::vector<ParamGroup> groups);
std::unique_ptr<Optimizer> make_adafactor(const OptimizerConfig& config,
                                          std::vector<ParamGroup> groups);
std::unique_ptr<Optimizer> make_adamw8bit(const OptimizerConfig& config,
                                          std::vector<ParamGroup> groups);
std::unique_ptr<Optimizer> make_paged_adamw8bit(const OptimizerConfig& config,
                                                std::vector<ParamGroup> groups);
std::unique_ptr<Optimizer> make_lion8bit(const OptimizerConfig& config,
                                         std::vector<ParamGroup> groups);

// f(isa, A{}) for the device of a parameter and its dtype, f32 or f64.
template <class F>
void on_master(const char* optimizer, const Var& p, F&& f) {
  on_float(optimizer, p.value(), [&f](auto isa, auto type) {
    if constexpr (std::is_same_v<decltype(type), bf16>)
      invariant(false, "a trainable parameter in bf16: masters are f32");
    else
      f(isa, type);
  });
}

// The items of each dtype, in their order.
template <class T, class DTypeOf>
std::vector<std::vector<T>> by_dtype(const std::vector<T>& items, DTypeOf dtype_of) {
  std::map<DType, std::vector<T>> groups;
  for (const T& item : items) groups[dtype_of(item)].push_back(item);
  std::vector<std::vector<T>> out;
  for (auto& [dtype, group] : groups) out.push_back(std::move(group));
  return out;
}

// States of one kind, one per parameter, zero at the start, counted as optimizer memory.
class StateList {
 public:
  StateList(std::string kind, std::vector<std::string> names, std::vector<Shape> shapes,
            std::vector<DType> dtypes, Device device = Device::cpu)
      : kind_(std::move(kind)),
        names_(std::move(names)),
        shapes_(std::move(shapes)),
        dtypes_(std::move(dtypes)),
        device_(device),
        states_(names_.size()) {}
  Tensor& operator[](size_t i) {
    if (!states_[i].defined()) {
      const CategoryScope optimizer(Category::optimizer);
      states_[i] = pages_ && is_paged(i) ? pages_->take(shapes_[i], dtypes_[i])
                                         : Tensor::zeros(shapes_[i], dtypes_[i], device_);
    }
    return states_[i];
  }
  void visit(const std::function<void(const std::string&, Tensor&)>& f) {
    for (size_t i = 0; i < states_.size(); ++i) {
      if (shapes_[i].numel() == 0) continue;
      f(kind_ + "." + names_[i], (*this)[i]);
      put_away(i);
    }
  }
  Device device() const { return device_; }

  // From now on states are made in paged memory, but for small ones (as bitsandbytes has it).
  void use(const std::shared_ptr<PagedMemory>& pages) { pages_ = pages; }
  size_t paged_bytes() const {
    size_t total = 0;
    for (size_t i = 0; i < states_.size(); ++i)
      if (is_paged(i)) total += PagedMemory::bytes_for(shapes_[i], dtypes_[i]);
    return total;
  }
  // Around the use of state i; nothing for one that is not paged.
  void fetch(size_t i) {
    if (pages_ && is_paged(i)) PagedMemory::fetch((*this)[i]);
  }
  void put_away(size_t i) {
    if (pages_ && is_paged(i)) PagedMemory::put_away((*this)[i]);
  }

 private:
  bool is_paged(size_t i) const { return shapes_[i].numel() >= 100000; }
  std::string kind_;
  std::vector<std::string> names_;
  std::vector<Shape> shapes_;
  std::vector<DType> dtypes_;
  Device device_;
  std::vector<Tensor> states_;
  std::shared_ptr<PagedMemory> pages_;
};

// Calls f() while state i of each list is there to be used.
template <class F>
void while_fetched(std::initializer_list<StateList*> lists, size_t i, F&& f) {
  for (StateList* list : lists) list->fetch(i);
  f();
  for (StateList* list : lists) list->put_away(i);
}

// The device of the parameters: one for all.
Device device_of(const std::vector<Var>& params);
// A list shaped like the parameters, on their device.
StateList like_parameters(const std::string& kind, const std::vector<std::string>& names,
                          const std::vector<Var>& params);

// Puts the lists into paged memory, all of which is had now: on the CPU in config.page_file.
void page_states(const OptimizerConfig& config, const std::vector<StateList*>& lists);

}  // namespace lk
