// A run that only counts. While a DryRun lives, this thread makes and frees tensors as always, and
// engine/memory.h counts them, but no kernel, matrix product, factorization or copy of
// floating-point numbers does anything: what such tensors hold is undefined. Memory that nobody
// touches costs the system nothing, so a model of any size takes a training step in moments, and
// the counts are those of the real one.
#pragma once

namespace lk {

class DryRun {
 public:
  DryRun();
  ~DryRun();
  DryRun(const DryRun&) = delete;
  DryRun& operator=(const DryRun&) = delete;

 private:
  bool previous_;
};
bool dry_run();

}  // namespace lk
