#include "tests/peft/contract.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/gemm.h"
#include "engine/rng.h"
#include "nn/generate.h"
#include "peft/adapter_files.h"
#include "tests/oracle.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

Packed small_batch(uint64_t seed = 5) { return pack(random_documents({5, 9, 3}, seed)); }

struct Tuned {
  std::unique_ptr<Model> model;
  std::unique_ptr<Method> method;
  std::vector<Parameter*> trained;
};

Tuned tune(const ContractRow& row, const std::string& type, DType dtype) {
  Tuned t;
  t.model = tiny_model(type, dtype);
  t.method = method_of(row.method, row.settings);
  t.method->attach(*t.model, 11);
  t.trained = select_parameters(*t.model, *t.method);
  return t;
}

// Away from the start, where many gradients are 0 by design.
void stir(Tuned& t) {
  uint64_t seed = 900;
  for (Parameter* p : t.trained) {
    const Tensor noise = random_tensor(p->shape, DType::f64, ++seed, 0.1);
    for (int64_t i = 0; i < noise.numel(); ++i) {
      if (p->var.dtype() == DType::f64)
        p->var.value().data<double>()[i] += noise.item(i);
      else
        p->var.value().data<float>()[i] += static_cast<float>(noise.item(i));
    }
  }
}

Var whole_loss(Tuned& t, const Packed& batch) {
  const Var loss = loss_of(*t.model, batch), term = t.method->penalty();
  return term.defined() ? add(loss, term) : loss;
}

std::map<std::string, Tensor> gradients(Tuned& t, const Var& loss) {
  for (Parameter* p : t.trained) p->var.set_grad({});
  backward(loss);
  std::map<std::string, Tensor> out;
  for (Parameter* p : t.trained) {
    CAPTURE(p->name);
    REQUIRE(p->var.grad().defined());
    out[p->name] = p->var.grad().clone();
  }
  return out;
}

std::map<std::string, Tensor> frozen_weights(Tuned& t) {
  std::map<std::string, Tensor> out;
  t.model->visit_parameters([&](Parameter& p) {
    if (!p.trainable()) out[p.name] = p.var.value().clone();
  });
  return out;
}

void start_and_count(const ContractRow& row, const std::string& type) {
  const Packed batch = small_batch();
  const Tensor before = hidden_of(*tiny_model(type, DType::f32), batch);
  const Tuned t = tune(row, type, DType::f32);
  if (row.identity) CHECK(max_difference(hidden_of(*t.model, batch), before) <= 1e-5);
  int64_t count = 0, head = 0;
  for (const Parameter* p : t.trained) count += p->shape.numel();
  if (!t.model->head_modules().empty())
    t.model->visit_linears([&](Linear& l) {
      if (l.role() == Role::head) head += l.in_features() * l.out_features() + l.out_features();
    });
  const auto base = tiny_model(type, DType::f32);
  CHECK(count == row.count(*base) + head);
}

void gradient(const ContractRow& row, const std::string& type) {
  Tuned t = tune(row, type, DType::f64);
  stir(t);
  for (const Parameter* p : t.trained) CHECK(p->var.dtype() == DType::f64);
  // A key's bias has gradient 0 in an encoder; the differences' rounding is 1e-4 of
  // gradient_error's floor there, and 2e-8 elsewhere.
  if (row.gradient_is_whole)
    CHECK(gradient_error(*t.model, pack(random_documents({4, 3}, 2)), t.trained) <= 2e-4);
}

void training(const ContractRow& row, const std::string& type) {
  Tuned t = tune(row, type, DType::f32);
  const Packed batch = small_batch();
  const auto frozen = frozen_weights(t);
  constexpr int64_t kSteps = 40;
  t.method->start_training(kSteps);
  const auto optimizer = make_optimizer({}, parameter_groups(t.trained, *t.method, 0.0));
  const double first = loss_of(*t.model, batch).value().item();
  for (int64_t step = 0; step < kSteps; ++step) {
    backward(scale(whole_loss(t, batch), 0.1f));
    optimizer->step(row.lr);
    t.method->after_update(step);
    optimizer->zero_grad();
  }
  CHECK(loss_of(*t.model, batch).value().item() < 0.97 * first);
  t.model->visit_parameters([&](Parameter& p) {
    CAPTURE(p.name);
    if (frozen.count(p.name)) CHECK(same_bits(p.var.value(), frozen.at(p.name)));
  });
}

void files(const ContractRow& row, const std::string& type) {
  Tuned t = tune(row, type, DType::f32);
  stir(t);
  t.method->finish_training();
  const Packed batch = small_batch();
  const Tensor expected = hidden_of(*t.model, batch);
  const TempDir dir;
  save_adapter(dir.path(), *t.model, *t.method, find_method(row.method), "", {});
  const auto fresh = tiny_model(type, DType::f32);
  const AdapterConfig config = read_adapter_config(dir.path());
  const auto loaded = load_adapter(dir.path(), config, *fresh);
  CHECK(same_bits(hidden_of(*fresh, batch), expected));
  const TempDir again;
  save_adapter(again.path(), *fresh, *loaded, *config.info, "", {});
  size_t count = 0;  // HF PEFT's or AdapterHub's
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    ++count;
    CHECK(read_file(again / name) == read_file(entry.path()));
  }
  CHECK(count >= 2);
}

void merging(const ContractRow& row, const std::string& type) {
  Tuned t = tune(row, type, DType::f32);
  stir(t);
  const Packed batch = small_batch();
  const Tensor expected = hidden_of(*t.model, batch);
  std::map<std::string, Tensor> before;
  t.model->visit_parameters([&](Parameter& p) { before[p.name] = p.var.value().clone(); });
  t.method->merge(*t.model);
  const Tensor merged = hidden_of(*t.model, batch);
  CHECK(max_difference(merged, expected) <= 1e-4 * max_magnitude(expected));
  t.method->unmerge(*t.model);
  CHECK(same_bits(hidden_of(*t.model, batch), expected));
  t.model->visit_parameters([&](Parameter& p) {
    CAPTURE(p.name);
    CHECK(same_bits(p.var.value(), before[p.name]));
  });
}

void no_merging(const ContractRow& row, const std::string& type) {
  Tuned t = tune(row, type, DType::f32);
  CHECK(error_of([&] { t.method->merge(*t.model); }).find("cannot be merged") != std::string::npos);
}

void switching(const ContractRow& row, const std::string& type) {
  Tuned t = tune(row, type, DType::f32);
  stir(t);
  const Packed batch = small_batch();
  const auto base = tiny_model(type, DType::f32);
  const Tensor on = hidden_of(*t.model, batch);
  t.method->set_enabled(*t.model, false);
  CHECK(same_bits(hidden_of(*t.model, batch), hidden_of(*base, batch)));
  t.method->set_enabled(*t.model, true);
  CHECK(same_bits(hidden_of(*t.model, batch), on));
}

void same_gradients(const ContractRow& row, const std::string& type) {
  Tuned t = tune(row, type, DType::f32);
  stir(t);
  const Packed whole = small_batch();
  const auto plain = gradients(t, loss_of(*t.model, whole));
  t.model->gradient_checkpointing = true;
  const auto checkpointed = gradients(t, loss_of(*t.model, whole));
  t.model->gradient_checkpointing = false;
  const Documents all = random_documents({5, 9, 3}, 5);
  Packed last = pack({all[1], all[2]});
  last.class_labels = {whole.class_labels[1], whole.class_labels[2]};
  const auto accumulated =
      gradients(t, add(loss_of(*t.model, pack({all[0]})), loss_of(*t.model, last)));
  for (const auto& gradient : plain) {
    const std::string& name = gradient.first;
    const Tensor& g = gradient.second;
    CAPTURE(name);
    CHECK(same_bits(g, checkpointed.at(name)));
    CHECK(max_difference(g, accumulated.at(name)) <= 1e-4 * max_magnitude(g) + 1e-6);
  }
}

void low_precision(const ContractRow& row, const std::string& type) {
  Tuned exact = tune(row, type, DType::f32), rounded = tune(row, type, DType::bf16);
  stir(exact), stir(rounded);
  const Packed batch = small_batch();
  const double expected = loss_of(*exact.model, batch).value().item();
  const Var loss = loss_of(*rounded.model, batch);
  CHECK(std::abs(loss.value().item() - expected) <= 0.05 * std::abs(expected));
  gradients(rounded, loss);
  for (const Parameter* p : rounded.trained) CHECK(p->var.dtype() == DType::f32);
}

// The next tokens with a cache, against a whole pass for each.
void generation(const ContractRow& row, const std::string& type) {
  Tuned t = tune(row, type, DType::f32);
  if (!t.model->head_modules().empty() || !row.causal) return;
  stir(t);
  GenerateOptions options;
  options.max_new_tokens = 6;
  options.eos_ids = {kVocab};
  const Documents prompts{{3, 1, 4, 1, 5}, {2, 7}};
  CHECK(generate(*t.model, prompts, options) == greedy_ids(*t.model, prompts, 6));
}

// The products of frozen weights' gradients are not computed: once the base trains too, a backward
// pass costs at least those more.
void frozen_cost_nothing(const ContractRow& row, const std::string& type) {
  Tuned t = tune(row, type, DType::f32);
  stir(t);
  const Packed batch = small_batch();
  const auto backward_flops = [&] {
    const Var loss = loss_of(*t.model, batch);
    const double start = gemm_counters().flops;
    backward(loss);
    return gemm_counters().flops - start;
  };
  const double frozen = backward_flops();
  double weight_gradients = 0;
  t.model->visit_linears([&](Linear& l) {
    if (l.role() != Role::head)
      weight_gradients += 2.0 * static_cast<double>(l.in_features() * l.out_features()) *
                          static_cast<double>(l.role() == Role::pooler ? 3 : batch.ids.size());
  });
  t.model->visit_parameters([](Parameter& p) { p.make_trainable(); });
  CHECK(backward_flops() - frozen >= weight_gradients);
}

}  // namespace

std::unique_ptr<Method> method_of(const std::string& name, const std::string& settings) {
  const MethodInfo& info = find_method(name);
  nlohmann::json values = nlohmann::json::object();
  for (const MethodOption& o : info.options) values[o.key] = nlohmann::json::parse(o.value);
  const nlohmann::json over = nlohmann::json::parse(settings);
  for (const auto& [key, value] : over.items()) {
    REQUIRE(values.contains(key));
    values[key] = value;
  }
  return info.make(Settings(values, "the contract"));
}

void write_adapter(const std::filesystem::path& folder, const std::string& type,
                   const std::string& method, const std::string& settings, uint64_t seed,
                   const std::vector<std::string>& lower) {
  const auto model = tiny_model(type, DType::f32);
  Settings all = method_of(method, settings)->settings();
  if (!lower.empty()) stack_on(all, lower);
  const auto made = find_method(method).make(all);
  made->below = load_below(all, *model);
  made->attach(*model, seed);
  made->visit([&](Parameter& p) {
    const Tensor noise = random_tensor(p.shape, DType::f32, ++seed, 0.2);
    const Tensor value = p.var.value().clone();
    for (int64_t i = 0; i < value.numel(); ++i) value.data<float>()[i] += noise.data<float>()[i];
    p.set(value);
  });
  save_adapter(folder, *model, *made, find_method(method), "", {"a", "b", "c"});
}

int64_t over_linears(Model& model, const std::function<int64_t(int64_t, int64_t)>& f) {
  int64_t total = 0;
  model.visit_linears([&](Linear& l) {
    if (l.role() != Role::head && l.role() != Role::pooler)
      total += f(l.in_features(), l.out_features());
  });
  return total;
}

void check_contract(const ContractRow& row) {
  CAPTURE(row.method);
  CAPTURE(row.settings);
  for (const std::string& type : row.models) {
    CAPTURE(type);
    start_and_count(row, type);
    gradient(row, type);
    training(row, type);
    files(row, type);
    same_gradients(row, type);
    low_precision(row, type);
    generation(row, type);
    if (row.own_weights) continue;
    if (row.merges)
      merging(row, type);
    else
      no_merging(row, type);
    switching(row, type);
    frozen_cost_nothing(row, type);
  }
}

}  // namespace lk::test
