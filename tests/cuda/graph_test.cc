// Repeated work as graphs: the same bits as without, whatever changes between the runs.
#include "engine/repeated.h"

#include <map>

#include "autograd/ops.h"
#include "cuda/graph_memory.h"
#include "engine/device.h"
#include "engine/rng.h"
#include "nn/optim/optimizer.h"
#include "tests/cuda/device.h"
#include "tests/cuda/training.h"

namespace lk::test {
namespace {

// Steps on batches of several lengths, two of which make one update now and then.
Trained train_repeatedly(const Run& run, Repeated& passes) {
  Trained t = make(run, Device::cuda);
  const auto optimizer = make_optimizer({}, parameter_groups(t.parameters, *t.method, 0.01));
  dropout_state() = {3, 1};
  t.method->start_training(4);
  t.model->training = true;
  t.model->gradient_checkpointing = run.checkpointing;
  const std::vector<std::vector<int>> lengths{{5, 9}, {5, 9}, {7, 2}, {3}, {20, 1}};
  for (size_t i = 0; i < lengths.size(); ++i) {
    Var loss;
    passes.run([&] {
      loss = loss_of(*t.model, pack(random_documents(lengths[i], 40 + i)));
      backward(scale(loss, 0.1f));
    });
    t.losses.push_back(loss.value().item());
    if (i == 2) continue;
    t.losses.push_back(clip_grad_norm(optimizer->groups(), 0.5));
    optimizer->step(0.02);
    t.method->after_update(static_cast<int64_t>(i));
    optimizer->zero_grad();
  }
  t.model->training = false;
  return t;
}

TEST_CASE("cuda: training as a graph equals training without, to the bit") {
  const std::string lora = R"({"r": 4, "lora_dropout": 0.1})";
  for (const Run& run :
       {Run{"gpt2", "lora", lora}, Run{"llama", "full"}, Run{"bert", "houlsby"},
        Run{"t5", "lora", lora, "adamw", DType::bf16, true},
        Run{"llama", "qlora", R"({"r": 4})", "adamw", DType::bf16, false, "nf4"}}) {
    CAPTURE(run.type);
    CAPTURE(run.method);
    Repeated plain(Device::cpu), graph(Device::cuda);
    Trained a = train_repeatedly(run, plain);
    CHECK(plain.counts().plain == 5);
    const Watch watch;
    Trained b = train_repeatedly(run, graph);
    CHECK(watch.faults() == "");
    CHECK(a.losses == b.losses);
    CHECK(difference(a, b) == 0);
    // The loss is read after its first half, so that there are two graphs a run; the host's own
    // reading of it is none.
    const GraphCounts& counts = graph.counts();
    CHECK(counts.plain == 1);
    CHECK(counts.made >= 2);
    CHECK(counts.updated >= 1);
    CHECK(counts.made + counts.updated == 8);
  }
}

TEST_CASE("cuda: where the host reads a result, the graph ends and another begins") {
  const Tensor x = Tensor::from<float>({1, 2, 3}).to(Device::cuda);
  Repeated work(Device::cuda);
  Tensor y;
  for (int i = 0; i < 4; ++i) {
    double square = 0;
    work.run([&] {
      const Tensor xx = mul(Var(x), Var(x)).value();
      if (i != 2) square = xx.item(2);
      y = add(Var(xx), Var(xx)).value();
      synchronize(Cuda{});
      synchronize(Cuda{});  // nothing between them, so no graph
    });
    CHECK(square == (i == 2 ? 0 : 9));
    CHECK(y.item(1) == 8);
  }
  CHECK(work.counts().plain == 1);
  // The third run has one part only, which is not like the first one of before: it is made, and
  // made again for the last.
  CHECK(work.counts().made == 4);
  CHECK(work.counts().updated == 1);
}

TEST_CASE("cuda: an error within recorded work leaves the stream as it was") {
  const Tensor x = Tensor::from<float>({1, 2, 3}).to(Device::cuda);
  Repeated work(Device::cuda);
  Var y;
  for (int i = 0; i < 3; ++i)
    if (i == 1)
      CHECK(error_of([&] {
              work.run([&] {
                y = mul(Var(x), Var(x));
                fail("by hand");
              });
            }) == "by hand");
    else
      work.run([&] { y = add(Var(x), Var(x)); });
  CHECK(y.value().item(1) == 4);
}

TEST_CASE("cuda: what a graph made outlives it") {
  Tensor y;
  {
    const Tensor x = Tensor::from<float>({1, 2, 3}).to(Device::cuda);
    Repeated work(Device::cuda);
    for (int i = 0; i < 2; ++i) work.run([&] { y = mul(Var(x), Var(x)).value(); });
    CHECK(work.counts().made == 1);
  }
  CHECK(y.item(2) == 9);
}

TEST_CASE(
    "cuda: memory of graphs never gives a byte twice, and what is given back is whole again") {
  GraphMemory memory;
  Random random(5);
  std::map<uintptr_t, size_t> live;
  const size_t block = size_t{32} << 20;
  for (int i = 0; i < 3000; ++i) {
    if (live.size() < 40 || random.below(2) == 0) {
      const size_t bytes = random.below(8) == 0 ? 1 + random.below(6 << 20) : random.below(5000);
      const auto at = reinterpret_cast<uintptr_t>(memory.take(bytes));
      REQUIRE(at % 256 == 0);
      const auto after = live.lower_bound(at);
      if (after != live.end()) REQUIRE(at + std::max<size_t>(bytes, 1) <= after->first);
      if (after != live.begin()) REQUIRE(std::prev(after)->first + std::prev(after)->second <= at);
      live[at] = std::max<size_t>(bytes, 1);
    } else {
      const auto piece = std::next(live.begin(), random.below(static_cast<uint32_t>(live.size())));
      REQUIRE(memory.give(reinterpret_cast<void*>(piece->first)));
      live.erase(piece);
    }
  }
  for (const auto& piece : live) REQUIRE(memory.give(reinterpret_cast<void*>(piece.first)));
  CHECK(memory.empty());
  int other = 0;
  CHECK(!memory.give(&other));
  void* const whole = memory.take(block);
  CHECK(whole != nullptr);
  CHECK(!memory.give(static_cast<char*>(whole) + 256));
  CHECK(memory.give(whole));
}

}  // namespace
}  // namespace lk::test
