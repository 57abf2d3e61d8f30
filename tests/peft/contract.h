// What every fine-tuning method must keep, run on tiny models from one row of a table
// (contract_test.cc).
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "peft/method.h"

namespace lk::test {

struct ContractRow {
  std::string method;
  std::string settings = "{}";  // adapter_config.json keys over the method's defaults
  // How many parameters the paper's formula gives, without a classifier's head.
  std::function<int64_t(Model& base)> count;
  double lr = 2e-2;               // at which 40 steps on one batch lower its loss
  bool identity = true;           // a new adapter gives the base's result
  bool own_weights = false;       // it trains the model's own weights: no merging, no switch
  bool gradient_is_whole = true;  // false: the method holds something constant on purpose
  bool merges = true;             // false: an error says why it cannot
  bool causal = true;  // false: what follows changes what came before; no cache repeats it
  std::vector<std::string> models = {"gpt2", "llama", "bert", "t5"};
};

// At least one for each registered method.
const std::vector<ContractRow>& contract_rows();
void check_contract(const ContractRow& row);

// A method with its defaults and `settings` over them.
std::unique_ptr<Method> method_of(const std::string& name, const std::string& settings);
// An adapter of a tiny model of that type, away from its start, as a folder; `lower` lies below it.
void write_adapter(const std::filesystem::path& folder, const std::string& type,
                   const std::string& method, const std::string& settings, uint64_t seed,
                   const std::vector<std::string>& lower = {});
// Sum of f(in, out) over all linear layers of the blocks.
int64_t over_linears(Model& model, const std::function<int64_t(int64_t in, int64_t out)>& f);

}  // namespace lk::test
