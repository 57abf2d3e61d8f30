// NCCL behind the interface of engine/communicator.h, as the emulator has it: processes with a
// device each.
#include "engine/communicator.h"

#include <nccl.h>

#include <cmath>

#include "cuda/emulator/emulator.h"
#include "engine/device.h"
#include "tests/cuda/device.h"
#include "tests/cuda/emulator/processes.h"
#include "tests/cuda/training.h"
#include "tests/tools/train/tiny_examples.h"
#include "tools/train/trainer.h"

namespace lk {
namespace {

// The value of process `rank` at i: sums of them are exact.
double value(int rank, int64_t i) { return static_cast<double>((i * 7 + rank * 3) % 64); }

TEST_CASE("cuda: sums and broadcasts between processes") {
  const auto all = test::in_processes(3, [](Communicator& host) {
    emu::machine().devices = 3;
    choose_device(Cuda{}, host.rank());
    const auto device = device_communicator(Cuda{}, host);
    require(device->rank() == host.rank() && device->size() == 3, "another process");
    std::vector<Tensor> sums, sent;
    for (const int64_t n : {int64_t{1}, int64_t{33}, int64_t{50257}})
      for (const DType type : {DType::f32, DType::f64}) {
        std::vector<double> values;
        for (int64_t i = 0; i < n; ++i) values.push_back(value(host.rank(), i));
        sums.push_back(Tensor::from(values).to(type).to(Device::cuda));
        std::vector<uint8_t> bytes(static_cast<size_t>(n), static_cast<uint8_t>(host.rank() + 1));
        sent.push_back(Tensor::from(bytes).to(Device::cuda));
      }
    device->all_reduce(sums);
    device->broadcast(sent);
    double wrong = 0;
    for (const Tensor& t : sums) {
      const auto got = t.to_vector<double>();
      for (int64_t i = 0; i < t.numel(); ++i)
        wrong += got[static_cast<size_t>(i)] != value(0, i) + value(1, i) + value(2, i);
    }
    for (const Tensor& t : sent)
      for (const double v : t.to_vector<double>()) wrong += v != 1;
    return std::vector<double>{wrong};
  });
  for (const auto& process : all) {
    CHECK(process.error == "");
    CHECK(process.values == std::vector<double>{0});
  }
}

TEST_CASE("cuda: processes that share a device say so, and sums of what has none") {
  const auto same = test::in_processes(2, [](Communicator& host) {
    device_communicator(Cuda{}, host);
    return std::vector<double>{};
  });
  CHECK(test::contains(same[0].error + same[1].error,
                       "start no more processes than it has devices: invalid usage (Duplicate GPU "
                       "detected"));
  // A process that is shown one device takes that, whatever its number.
  choose_device(Cuda{}, 1);
  CHECK(cuda_problem() == "");
  // Sums of what has no sum.
  const auto bytes = test::in_processes(2, [](Communicator& host) {
    emu::machine().devices = 2;
    choose_device(Cuda{}, host.rank());
    const auto device = device_communicator(Cuda{}, host);
    device->all_reduce({Tensor::zeros({4}, DType::u8, Device::cuda)});
    return std::vector<double>{};
  });
  CHECK(test::contains(bytes[0].error + bytes[1].error, "it is of f32 or f64"));
}

TEST_CASE("cuda: processes with a device each train what one would") {
  const auto trained = [](Communicator* processes, bool graphs) {
    const test::TempDir dir;
    const test::Trained t = test::make(
        {.type = "gpt2", .method = "lora", .settings = R"({"lora_dropout": 0.1})"}, Device::cuda);
    TrainOptions o;
    o.batch_size = 2;
    o.accumulate = 2;
    o.max_steps = 3;
    o.optimizer.eps = 1e-3;  // as in tests/cuda/training.cc
    o.output = dir.path();
    o.processes = processes;
    o.cuda_graphs = graphs;
    train(*t.model, parameter_groups(t.parameters, *t.method, 0.01), test::tiny_examples(12, false),
          language_loss, o, t.method.get());
    std::vector<double> out;
    for (const Parameter* p : t.parameters)
      for (const double v : p->var.value().to_vector<double>()) out.push_back(v);
    return out;
  };
  for (const bool graphs : {false, true}) {
    const auto one = trained(nullptr, graphs);
    const auto two = test::in_processes(2, [&](Communicator& host) {
      emu::machine().devices = 2;
      choose_device(Cuda{}, host.rank());
      return trained(&host, graphs);
    });
    for (const auto& process : two) {
      REQUIRE(process.error == "");
      REQUIRE(process.values.size() == one.size());
      CHECK(process.values == two[0].values);
      for (size_t i = 0; i < one.size(); ++i) CHECK(std::abs(process.values[i] - one[i]) <= 1e-5);
    }
  }
}

TEST_CASE("emulator: NCCL refuses what a communicator cannot do") {
  ncclUniqueId id{};
  REQUIRE(ncclGetUniqueId(&id) == ncclSuccess);
  ncclComm_t comm = nullptr;
  CHECK(ncclCommInitRank(&comm, 2, id, 2) == ncclInvalidArgument);
  REQUIRE(ncclCommInitRank(&comm, 1, id, 0) == ncclSuccess);
  const test::DeviceArray<float> data(std::vector<float>{1, 2, 3});
  float host[3] = {};
  const auto sum = [&](void* to, size_t count, ncclDataType_t type, ncclRedOp_t op) {
    return ncclAllReduce(data.data(), to, count, type, op, comm, nullptr);
  };
  CHECK(sum(data.data(), 3, ncclFloat32, ncclSum) == ncclSuccess);
  CHECK(sum(host, 3, ncclFloat32, ncclSum) == ncclInvalidArgument);
  CHECK(sum(data.data(), 4, ncclFloat32, ncclSum) == ncclInvalidArgument);
  CHECK(sum(data.data(), 3, ncclUint8, ncclSum) == ncclInvalidArgument);
  CHECK(sum(data.data(), 3, ncclFloat32, ncclProd) == ncclInvalidArgument);
  CHECK(ncclBroadcast(data.data(), data.data(), 12, ncclUint8, 1, comm, nullptr) ==
        ncclInvalidArgument);
  CHECK(ncclGroupEnd() == ncclInvalidUsage);
  // Nothing is done before the group ends.
  const test::DeviceArray<float> copy(std::vector<float>{0, 0, 0});
  REQUIRE(ncclGroupStart() == ncclSuccess);
  CHECK(sum(copy.data(), 3, ncclFloat32, ncclSum) == ncclSuccess);
  CHECK(copy.get()[0] == 0);
  REQUIRE(ncclGroupEnd() == ncclSuccess);
  CHECK(copy.get() == std::vector<float>{1, 2, 3});
  CHECK(ncclCommDestroy(comm) == ncclSuccess);
}

}  // namespace
}  // namespace lk
