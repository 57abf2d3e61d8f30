// Which batches make which update: epochs follow one another, a last short update closes each.
#pragma once

#include <vector>

#include "tools/train/trainer.h"

namespace lk {

class UpdatePlan {
 public:
  // examples, options and make (may be empty) must live as long. Error where there is no update.
  UpdatePlan(const std::vector<Example>& examples, const TrainOptions& options,
             const MakeBatch& make);
  int64_t total() const { return total_; }  // updates
  // The batches of the next update. With a token budget the number of batches may differ a little
  // between epochs, so position is kept as (epoch, batch).
  std::vector<Batch> next();
  int64_t epoch() const { return epoch_; }
  int64_t batch() const { return at_; }
  void seek(int64_t epoch, int64_t batch) {
    epoch_ = epoch;
    at_ = batch;
  }

 private:
  std::vector<std::vector<int64_t>> batches(int64_t epoch) const;
  const std::vector<Example>& examples_;
  const TrainOptions& options_;
  const MakeBatch& make_;
  std::vector<std::vector<int64_t>> order_;
  int64_t epoch_ = 0, at_ = 0, loaded_epoch_ = -1, updates_per_epoch_ = 0, total_ = 0;
};

}  // namespace lk
