// Processes that work on one thing, such as a training step of which each does a share. MPI carries
// what lies in the host's memory (engine/mpi.cc), NCCL what lies on CUDA devices
// (cuda/communicator.cc); a process that was started alone is all there is.
#pragma once

#include <memory>
#include <vector>

#include "engine/cuda.h"
#include "engine/tensor.h"

namespace lk {

// What is asked of it is asked by all processes, in the same order, with the same shapes and
// dtypes.
class Communicator {
 public:
  Communicator(int rank, int size) : rank_(rank), size_(size) {}
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }  // of this process, in [0, size)
  int size() const { return size_; }
  // Each element becomes its sum over the processes, the same bits in all of them. In place; f32 or
  // f64.
  virtual void all_reduce(const std::vector<Tensor>& tensors) = 0;
  // What process 0 has becomes what all have. In place; any dtype.
  virtual void broadcast(const std::vector<Tensor>& tensors) = 0;

 private:
  int rank_, size_;
};

// One process alone, which has all sums already.
class Alone : public Communicator {
 public:
  Alone() : Communicator(0, 1) {}
  void all_reduce(const std::vector<Tensor>&) override {}
  void broadcast(const std::vector<Tensor>&) override {}
};

// The processes that a launcher (mpirun, srun) started together with this one; where it was started
// by itself, it alone. Once in a program. Error where there are others and this build has no MPI.
std::unique_ptr<Communicator> join_processes();
// Of the processes on this machine, the number of this one: which of its devices it takes.
int rank_on_machine();

// Of the device: the same processes as `host`, for tensors on the device that each has chosen.
// Error where NCCL cannot be had.
std::unique_ptr<Communicator> device_communicator(Cuda cuda, Communicator& host);

bool built_with_mpi();
// The variable of the environment that shows a launcher, "" where there is none:
// "OMPI_COMM_WORLD_SIZE".
const char* launcher();

}  // namespace lk
