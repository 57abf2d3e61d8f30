// NCCL (NVIDIA, "NVIDIA Collective Communication Library Documentation") behind the interface of
// engine/communicator.h. Its sums are made in an order that is fixed for a given number and
// arrangement of devices, and are the same in all processes.
#include "engine/communicator.h"

#if __has_include(<nccl.h>)
#include <nccl.h>

#include <exception>

#include "engine/device.h"

namespace lk {
namespace {

void check(ncclResult_t result, const char* what) {
  if (result == ncclSuccess) [[likely]]
    return;
  fail("NCCL: {}: {} ({})", what, ncclGetErrorString(result), ncclGetLastError(nullptr));
}

ncclDataType_t type_of(const Tensor& t) {
  if (t.dtype() == DType::f64) return ncclFloat64;
  require(t.dtype() == DType::f32, "NCCL: a sum over processes in {}; it is of f32 or f64",
          name_of(t.dtype()));
  return ncclFloat32;
}

class Nccl : public Communicator {
 public:
  explicit Nccl(Communicator& host) : Communicator(host.rank(), host.size()) {
    ncclUniqueId id{};
    if (rank() == 0) check(ncclGetUniqueId(&id), "it cannot start");
    const Tensor bytes = Tensor::zeros({sizeof(id)}, DType::u8);
    std::memcpy(bytes.raw(), &id, sizeof(id));
    host.broadcast({bytes});
    std::memcpy(&id, bytes.raw(), sizeof(id));
    check(ncclCommInitRank(&comm_, size(), id, rank()),
          "the processes' devices do not meet; on each machine start no more processes than it has "
          "devices");
  }
  // After an error the others' part of what was asked for may never come.
  ~Nccl() override {
    if (std::uncaught_exceptions() == 0)
      ncclCommDestroy(comm_);
    else
      ncclCommAbort(comm_);
  }
  Nccl(const Nccl&) = delete;
  Nccl& operator=(const Nccl&) = delete;

  void all_reduce(const std::vector<Tensor>& tensors) override {
    in_a_group(tensors, "a sum over the processes", [&](const Tensor& t) {
      return ncclAllReduce(t.raw(), t.raw(), static_cast<size_t>(t.numel()), type_of(t), ncclSum,
                           comm_, Cuda{}.stream);
    });
  }
  void broadcast(const std::vector<Tensor>& tensors) override {
    in_a_group(tensors, "a broadcast", [&](const Tensor& t) {
      return ncclBroadcast(t.raw(), t.raw(), static_cast<size_t>(t.bytes()), ncclUint8, 0, comm_,
                           Cuda{}.stream);
    });
  }

 private:
  // Together, so that small tensors do not wait for each other. (The stream may be another one than
  // when this was made: engine/cuda.h.)
  template <class F>
  void in_a_group(const std::vector<Tensor>& tensors, const char* what, F f) {
    check(ncclGroupStart(), what);
    for (const Tensor& t : tensors) {
      const KernelScope scope(what, Device::cuda);
      if (t.numel() > 0) check(f(t), what);
    }
    check(ncclGroupEnd(), what);
  }

  ncclComm_t comm_ = nullptr;
};

}  // namespace

std::unique_ptr<Communicator> device_communicator(Cuda, Communicator& host) {
  if (host.size() == 1) return std::make_unique<Alone>();
  return std::make_unique<Nccl>(host);
}

}  // namespace lk
#else
namespace lk {

std::unique_ptr<Communicator> device_communicator(Cuda, Communicator& host) {
  require(host.size() == 1,
          "several processes with --device cuda need NCCL, which was not found when this was built "
          "(nccl.h); install it and build again, or start one process");
  return std::make_unique<Alone>();
}

}  // namespace lk
#endif
