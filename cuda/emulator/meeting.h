// Processes of one machine that meet in shared memory, as those of an emulated NCCL do.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace emu {

class Meeting {
 public:
  // Opens what the name stands for, or makes it, and waits until all `size` processes have; `rank`
  // in [0, size) is this one. `device`: of this one, no other may have the same; -1: none.
  // problem() says what went wrong; nothing else may be called then.
  Meeting(const std::string& name, int rank, int size, int device = -1);
  ~Meeting();
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;
  enum class Problem { none, system, others_missing, same_device };
  Problem problem() const { return problem_; }

  // In place, in the order of the ranks: the same bits for all. T: float or double. False when
  // another process did not come.
  template <class T>
  bool all_reduce(T* data, size_t count);
  bool broadcast(void* data, size_t bytes, int root);

  static constexpr int kMost = 16;  // processes

 private:
  struct Shared;
  bool meet();
  char* slot(int rank) const;
  Shared* shared_ = nullptr;
  int rank_, size_;
  Problem problem_ = Problem::none;
};

// A name that no other meeting of this machine has.
std::string new_meeting();

}  // namespace emu
