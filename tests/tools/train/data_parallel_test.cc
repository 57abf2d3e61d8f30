// Several processes train what one would: the batches of an update are shared, the gradients
// summed.
#include "tools/train/data_parallel.h"

#include <algorithm>
#include <cmath>
#include <csignal>

#include "peft/method.h"
#include "tests/cuda/emulator/processes.h"
#include "tests/peft/contract.h"
#include "tests/support.h"
#include "tests/tools/train/tiny_examples.h"
#include "tools/train/trainer.h"

namespace lk {
namespace {

struct Case {
  std::string type, method, settings = "{}";
  const char* optimizer = "adamw";
};

// 11 batches an epoch, 3 in an update: the last one of an epoch has 2.
TrainOptions options(const std::filesystem::path& output, Communicator* processes) {
  TrainOptions o;
  o.batch_size = 2;
  o.accumulate = 3;
  o.epochs = 2;
  o.lr = 0.01;
  o.weight_decay = 0.01;
  o.seed = 5;
  o.output = output;
  o.processes = processes;
  return o;
}

// The trained values, after the last loss. With dropout.
std::vector<double> trained(const Case& c, const TrainOptions& o, int count = 21,
                            const BatchLoss& loss = language_loss) {
  const auto model = test::tiny_model(c.type, DType::f64, 0.1);
  const auto method = test::method_of(c.method, c.settings);
  // The first process's values must become everyone's.
  method->attach(*model, 11 + static_cast<uint64_t>(o.processes ? o.processes->rank() : 0));
  const auto parameters = select_parameters(*model, *method);
  TrainOptions mine = o;
  mine.optimizer.name = c.optimizer;
  const bool classes = c.type == "bert";
  const TrainResult result =
      train(*model, parameter_groups(parameters, *method, o.weight_decay),
            test::tiny_examples(count, classes), classes ? class_loss : loss, mine, method.get());
  std::vector<double> out{result.last_loss, static_cast<double>(result.steps),
                          static_cast<double>(result.tokens)};
  for (const Parameter* p : parameters)
    for (const double v : p->var.value().to_vector<double>()) out.push_back(v);
  return out;
}

double difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

TEST_CASE("data parallel: an update is the same however many processes share its batches") {
  const Case cases[] = {{"gpt2", "lora", R"({"lora_dropout": 0.1})"},
                        {"llama", "full", "{}", "sgd"},
                        {"gpt2", "prefix"},
                        // Which experts have a gradient depends on the batch.
                        {"bert", "adamix"},
                        {"llama", "adalora",
                         R"({"init_r": 3, "target_r": 2, "tinit": 1, "tfinal": 1, "deltaT": 1})"}};
  for (const Case& c : cases) {
    CAPTURE(c.type);
    CAPTURE(c.method);
    const test::TempDir dir;
    const auto one = trained(c, options(dir.path(), nullptr));
    CHECK(one[1] == 8);
    for (const int count : {2, 3}) {
      CAPTURE(count);
      const auto all = test::in_processes(count, [&](Communicator& processes) {
        return trained(c, options(dir.path(), &processes));
      });
      for (const auto& process : all) {
        REQUIRE(process.error == "");
        CHECK(process.values == all[0].values);
        // Sums in another order.
        CHECK(difference(process.values, one) <= 1e-9);
      }
    }
  }
}

TEST_CASE("data parallel: a resumed run goes on as if it had not stopped") {
  const Case c{"gpt2", "lora"};
  const auto in_two = [&](const test::TempDir& dir, int64_t stop_after, bool resume) {
    return test::in_processes(2, [&](Communicator& processes) {
      TrainOptions o = options(dir.path(), &processes);
      o.stop_after = stop_after;
      o.save_steps = 100;
      o.resume = resume;
      return trained(c, o);
    });
  };
  const test::TempDir whole, parts;
  const auto at_once = in_two(whole, 0, false);
  in_two(parts, 3, false);
  const auto resumed = in_two(parts, 0, true);
  for (size_t i = 0; i < 2; ++i) {
    REQUIRE(resumed[i].values.size() > 3);
    CHECK(resumed[i].values[0] == at_once[i].values[0]);
    CHECK(std::equal(resumed[i].values.begin() + 3, resumed[i].values.end(),
                     at_once[i].values.begin() + 3));
  }
  CHECK(test::read_file(parts / "log.jsonl") == test::read_file(whole / "log.jsonl"));
}

TEST_CASE("data parallel: a signal to one process stops all after the same update") {
  const test::TempDir dir;
  const auto all = test::in_processes(2, [&](Communicator& processes) {
    int batches = 0;
    const BatchLoss loss = [&](Model& model, const Batch& batch) {
      if (processes.rank() == 1 && ++batches == 2) std::raise(SIGTERM);
      return language_loss(model, batch);
    };
    return trained({"llama", "bitfit"}, options(dir.path(), &processes), 21, loss);
  });
  for (const auto& process : all) {
    REQUIRE(process.error == "");
    CHECK(process.values[1] == 2);
    CHECK(process.values == all[0].values);
  }
}

TEST_CASE("data parallel: processes that cannot train together say why") {
  const test::TempDir dir;
  const auto few = test::in_processes(2, [&](Communicator& processes) {
    TrainOptions o = options(dir.path(), &processes);
    o.accumulate = 1;
    return trained({"gpt2", "lora"}, o);
  });
  CHECK(test::contains(few[0].error + few[1].error,
                       "2 processes cannot share the one batch of an update: give "
                       "--gradient-accumulation-steps 2"));
  const auto others = test::in_processes(2, [&](Communicator& processes) {
    return trained({"gpt2", "lora"}, options(dir.path(), &processes), 20 + processes.rank());
  });
  CHECK(test::contains(others[1].error, "process 1 of 2 has other data"));
}

}  // namespace
}  // namespace lk
