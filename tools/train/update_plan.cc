#include "tools/train/update_plan.h"

#include <cmath>

namespace lk {

UpdatePlan::UpdatePlan(const std::vector<Example>& examples, const TrainOptions& o,
                       const MakeBatch& make)
    : examples_(examples), options_(o), make_(make) {
  const auto per_epoch = static_cast<int64_t>(batches(0).size());
  updates_per_epoch_ = (per_epoch + o.accumulate - 1) / o.accumulate;
  total_ = o.max_steps > 0 ? o.max_steps
                           : static_cast<int64_t>(std::ceil(
                                 o.epochs * static_cast<double>(updates_per_epoch_) - 1e-9));
  require(total_ > 0, "there is nothing to train: {} epochs of {} updates", o.epochs,
          updates_per_epoch_);
}

std::vector<Batch> UpdatePlan::next() {
  std::vector<Batch> out;
  if (epoch_ != loaded_epoch_) {
    order_ = batches(epoch_);
    loaded_epoch_ = epoch_;
  }
  for (int64_t i = 0; i < options_.accumulate && at_ < static_cast<int64_t>(order_.size());
       ++i, ++at_) {
    std::vector<const Example*> chosen;
    for (const int64_t e : order_[static_cast<size_t>(at_)])
      chosen.push_back(&examples_[static_cast<size_t>(e)]);
    const uint64_t number = (static_cast<uint64_t>(epoch_) << 32) + static_cast<uint64_t>(at_);
    out.push_back(make_ ? make_(chosen, number) : make_batch(chosen));
  }
  if (at_ == static_cast<int64_t>(order_.size())) {
    ++epoch_;
    at_ = 0;
  }
  return out;
}

std::vector<std::vector<int64_t>> UpdatePlan::batches(int64_t epoch) const {
  return epoch_batches(examples_, options_.batch_size, options_.tokens_per_batch,
                       options_.group_by_length, options_.seed, epoch);
}

}  // namespace lk
