// What methods promise that plug into blocks, attention and input: on every architecture,
// gradients, frozen bases, counts, files, checkpointing, caches and errors.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "nn/generate.h"
#include "peft/adapter_files.h"
#include "tests/oracle.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

using nlohmann::json;

struct Row {
  std::string method;
  json changes;           // of the defaults, small enough for tiny models
  bool identity = false;  // a new adapter changes nothing
  bool causal_ok = true;  // what comes later does not change what came before
  // Trained numbers by hidden size d, key width kv, layers L of a model that reads one text.
  std::function<int64_t(int64_t d, int64_t kv, int64_t layers)> count;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table{
      {"prefix",
       {{"num_virtual_tokens", 3}},
       false,
       true,
       [](int64_t, int64_t kv, int64_t layers) { return 3 * 2 * kv * layers; }},
      {"prefix",
       {{"num_virtual_tokens", 3}, {"prefix_projection", true}, {"encoder_hidden_size", 5}},
       false,
       true,
       [](int64_t, int64_t kv, int64_t layers) {
         return 3 * kv + 5 * kv + 5 + (5 + 1) * 2 * kv * layers;
       }},
      {"ptuning-v2",
       {{"num_virtual_tokens", 2}, {"prefix_dropout", 0.0}},
       false,
       true,
       [](int64_t, int64_t kv, int64_t layers) { return 2 * 2 * kv * layers; }},
      {"prompt",
       {{"num_virtual_tokens", 4}},
       false,
       true,
       [](int64_t d, int64_t, int64_t) { return 4 * d; }},
      {"ptuning",
       {{"num_virtual_tokens", 3}, {"encoder_hidden_size", 6}},
       false,
       true,
       [](int64_t d, int64_t, int64_t) { return 3 * d + (d * 6 + 6) + (6 * 6 + 6) + (6 * d + d); }},
      {"ptuning",
       {{"num_virtual_tokens", 2},
        {"encoder_hidden_size", 3},
        {"encoder_reparameterization_type", "LSTM"},
        {"encoder_num_layers", 1}},
       false,
       true,
       [](int64_t d, int64_t, int64_t) {
         return 2 * d + 2 * (12 * d + 12 * 3 + 24) + (6 * 6 + 6) + (6 * d + d);
       }},
      {"houlsby",
       {{"reduction_factor", 4}, {"train_norms", false}},
       false,
       true,
       [](int64_t d, int64_t, int64_t layers) {
         return 2 * (2 * d * (d / 4) + d / 4 + d) * layers;
       }},
      {"pfeiffer",
       {{"reduction_factor", 4}},
       false,
       true,
       [](int64_t d, int64_t, int64_t layers) { return (2 * d * (d / 4) + d / 4 + d) * layers; }},
      {"parallel",
       {{"reduction_factor", 4}},
       true,
       true,
       [](int64_t d, int64_t, int64_t layers) { return (2 * d * (d / 4) + d / 4 + d) * layers; }},
      {"compacter",
       {{"reduction_factor", 4}, {"phm_dim", 2}},
       false,
       true,
       [](int64_t d, int64_t, int64_t layers) {
         return 8 + 2 * (2 * (d + d / 4) + d / 4 + d) * layers;
       }},
      {"mam",
       {{"prefix_length", 2}, {"bottleneck_size", 3}, {"reduction_factor", 4}},
       false,
       true,
       [](int64_t d, int64_t kv, int64_t layers) {
         return 2 * d + 3 * d + 3 + (3 + 1) * 2 * kv * layers +
                (2 * d * (d / 4) + d / 4 + d) * layers;
       }},
      {"unipelt",
       {{"prefix_length", 2}, {"bottleneck_size", 3}, {"reduction_factor", 4}, {"r", 2}},
       false,
       false,
       nullptr},
      {"adamix",
       {{"reduction_factor", 4}, {"experts", 3}},
       false,
       true,
       [](int64_t d, int64_t, int64_t layers) {
         return (3 * (d * (d / 4) + d / 4) + d * (d / 4) + d) * layers;
       }},
  };
  return table;
}

std::unique_ptr<Method> make(const Row& row) {
  const MethodInfo& info = find_method(row.method);
  json values = json::object();
  for (const MethodOption& o : info.options) values[o.key] = json::parse(o.value);
  values.update(row.changes);
  return info.make(Settings(values, "the test"));
}

// Random values in place of the first ones, which are often 0, in the model's dtype.
void randomise(Model& model, Method& method) {
  uint64_t seed = 50;
  method.visit([&](Parameter& p) {
    p.set(test::random_tensor(p.shape, model.compute_dtype(), ++seed, 0.3));
  });
}

test::Packed batch_of(uint64_t seed) { return test::pack(test::random_documents({5, 1, 7}, seed)); }

template <class F>
void for_all(F f) {
  for (const Row& row : rows())
    for (const std::string type : {"gpt2", "llama", "bert", "t5"}) {
      CAPTURE(row.method);
      CAPTURE(row.changes.dump());
      CAPTURE(type);
      f(row, type);
    }
}

TEST_CASE("inserted methods: gradients against differences, in f64") {
  for_all([](const Row& row, const std::string& type) {
    const auto model = test::tiny_model(type, DType::f64);
    const auto method = make(row);
    method->attach(*model, 1);
    randomise(*model, *method);
    const auto trained = select_parameters(*model, *method);
    CHECK(test::gradient_error(*model, batch_of(3), trained) <= 1e-6);
  });
}

TEST_CASE("inserted methods: count, frozen base, identity, gradient checkpointing") {
  for_all([](const Row& row, const std::string& type) {
    const auto model = test::tiny_model(type, DType::f32);
    const test::Packed batch = batch_of(4);
    const Tensor before = test::hidden_of(*model, batch);
    std::map<std::string, Tensor> base;
    model->visit_parameters([&](Parameter& p) { base[p.name] = p.var.value().clone(); });
    const auto method = make(row);
    method->attach(*model, 1);
    if (row.identity) CHECK(test::max_difference(test::hidden_of(*model, batch), before) == 0);
    int64_t count = 0;
    method->visit([&](Parameter& p) { count += p.shape.numel(); });
    const ModelInfo& info = model->info();
    if (row.count && !info.encoder_decoder())
      CHECK(count == row.count(info.hidden_size, info.kv_heads * info.head_dim, info.layers));

    randomise(*model, *method);
    const Tensor changed = test::hidden_of(*model, batch);
    method->set_enabled(*model, false);
    CHECK(test::max_difference(test::hidden_of(*model, batch), before) == 0);
    method->set_enabled(*model, true);
    CHECK(test::max_difference(test::hidden_of(*model, batch), changed) == 0);
    const auto trained = select_parameters(*model, *method);
    const auto gradients = [&] {
      dropout_state() = {9, 1};
      for (Parameter* p : trained) p->var.set_grad({});
      model->training = true;
      backward(test::loss_of(*model, batch));
      model->training = false;
      std::vector<Tensor> out;
      for (Parameter* p : trained) out.push_back(p->var.grad());
      return out;
    };
    const auto plain = gradients();
    model->gradient_checkpointing = true;
    const auto again = gradients();
    for (size_t i = 0; i < trained.size(); ++i) {
      CAPTURE(trained[i]->name);
      if (!plain[i].defined()) continue;  // an expert that was not drawn
      // The same sums in another order.
      CHECK(test::max_difference(plain[i], again[i]) <=
            2e-5 * std::max(1e-3, test::max_magnitude(plain[i])));
    }
    model->visit_parameters(
        [&](Parameter& p) { CHECK(test::same_bits(p.var.value(), base.at(p.name))); });
  });
}

TEST_CASE("inserted methods: what is saved and loaded gives the same numbers") {
  for_all([](const Row& row, const std::string& type) {
    const auto model = test::tiny_model(type, DType::f32);
    const auto method = make(row);
    method->attach(*model, 1);
    randomise(*model, *method);
    const test::Packed batch = batch_of(5);
    const Tensor expected = test::hidden_of(*model, batch);
    const test::TempDir dir;
    save_adapter(dir.path(), *model, *method, find_method(row.method), "base", {"a", "b", "c"});
    const auto other = test::tiny_model(type, DType::f32);
    const AdapterConfig config = read_adapter_config(dir.path());
    CHECK(config.base == "base");
    const auto loaded = load_adapter(dir.path(), config, *other);
    CHECK(test::max_difference(test::hidden_of(*other, batch), expected) <= 1e-6);
    CHECK(test::error_of([&] { loaded->merge(*other); }).find("cannot be merged") !=
          std::string::npos);
  });
}

TEST_CASE("inserted methods: a cache and packing change no text") {
  for_all([](const Row& row, const std::string& type) {
    if (type == "bert" || !row.causal_ok) return;
    const auto model = test::tiny_model(type, DType::f32);
    const auto method = make(row);
    method->attach(*model, 1);
    randomise(*model, *method);
    const test::Documents prompts = test::random_documents({4, 9}, 6);
    GenerateOptions o;
    o.max_new_tokens = 6;
    o.eos_ids = {test::kVocab + 1};
    const auto together = generate(*model, prompts, o);
    CHECK(together == test::greedy_ids(*model, prompts, 6));
  });
}

TEST_CASE("inserted methods: too long for the context is an error that says so") {
  const auto model = test::tiny_model("gpt2", DType::f32);  // a context of 48
  const auto attach = [&](const std::string& method, const json& changes) {
    return test::error_of([&] {
      make({method, changes, false, true, nullptr})->attach(*model, 1);
    });
  };
  for (const char* method : {"prefix", "prompt", "ptuning"})
    CHECK(attach(method, {{"num_virtual_tokens", 48}}).find("context of 48") != std::string::npos);
  const auto fits = make({"prefix", {{"num_virtual_tokens", 40}}, false, true, nullptr});
  fits->attach(*model, 1);
  CHECK(model->max_length() == 8);
  CHECK(test::error_of([&] {
          test::hidden_of(*model, test::pack(test::random_documents({9}, 1)));
        }).find("49 tokens with the virtual ones") != std::string::npos);
}

TEST_CASE("prompts and prefixes start from words and labels") {
  const auto tokenize = [](const std::string& text) {
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(c - 'a');
    return ids;
  };
  const auto model = test::tiny_model("llama", DType::f32);
  Embedding* words = nullptr;
  model->visit_embeddings([&](Embedding& e) { words = &e; });
  const Tensor table = words->weight.var.value();
  const int64_t d = table.dim(1);
  const auto values = [&](const json& changes, const std::vector<std::string>& labels) {
    const auto method = make({"prompt", changes, false, true, nullptr});
    method->prepare(tokenize, labels);
    method->attach(*model, 1);
    model->input_adapters().clear();
    Tensor out;
    method->visit([&](Parameter& p) { out = p.var.value(); });
    return out;
  };
  const Tensor text = values({{"num_virtual_tokens", 3},
                              {"prompt_tuning_init", "TEXT"},
                              {"prompt_tuning_init_text", "ca"}},
                             {});
  for (int64_t j = 0; j < d; ++j) {
    CHECK(text.item(j) == table.item(2 * d + j));
    CHECK(text.item(d + j) == table.item(j));
    CHECK(text.item(2 * d + j) == table.item(2 * d + j));  // from the start again
  }
  const Tensor labels =
      values({{"num_virtual_tokens", 2}, {"prompt_tuning_init", "LABELS"}}, {"bd", "c"});
  for (int64_t j = 0; j < d; ++j) {
    CHECK(labels.item(j) ==
          doctest::Approx((table.item(d + j) + table.item(3 * d + j)) / 2).epsilon(1e-5));
    CHECK(labels.item(d + j) == table.item(2 * d + j));
  }
  // A prefix made of the words' own keys and values, at their positions, is the words before the
  // text.
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    const auto base = test::tiny_model(type, DType::f32);
    const test::Documents documents = test::random_documents({4, 6}, 8);
    const test::Documents with_words = test::with_front({1, 2, 3}, documents);
    const Tensor whole = test::hidden_of(*base, test::pack(with_words));
    const auto prefix = make(
        {"prefix", {{"num_virtual_tokens", 3}, {"prefix_init_text", "bcd"}}, false, true, nullptr});
    prefix->prepare(tokenize, {});
    prefix->attach(*base, 1);
    const Tensor h = test::hidden_of(*base, test::pack(documents));
    if (type == "bert") {
      // There words see the text too, so only their kind is the same.
      CHECK(test::max_magnitude(h) > 0);
      continue;
    }
    double most = 0;
    for (int64_t b = 0, at = 0, from = 3; b < 2; ++b) {
      const auto length = static_cast<int64_t>(documents[static_cast<size_t>(b)].size());
      most = std::max(most, test::max_difference(h.rows(at, at + length).clone(),
                                                 whole.rows(from, from + length).clone()));
      at += length;
      from += length + 3;
    }
    CHECK(most <= 1e-5);
  }
}

TEST_CASE("an MLP is fitted to the words' keys and values") {
  const auto model = test::tiny_model("gpt2", DType::f32);
  const auto start = [&](const std::string& text) {
    const auto method = make({"prefix",
                              {{"num_virtual_tokens", 2},
                               {"prefix_projection", true},
                               {"encoder_hidden_size", 16},
                               {"prefix_init_text", text}},
                              false,
                              true,
                              nullptr});
    method->prepare([](const std::string&) { return std::vector<int32_t>{3, 4}; }, {});
    method->attach(*model, 1);
    model->input_adapters().clear();
    std::vector<NamedTensor> file;
    method->write(file);
    for (Block& b : model->blocks()) b.kv.reset();
    return file[0].tensor;
  };
  const auto direct = make(
      {"prefix", {{"num_virtual_tokens", 2}, {"prefix_init_text", "x"}}, false, true, nullptr});
  direct->prepare([](const std::string&) { return std::vector<int32_t>{3, 4}; }, {});
  direct->attach(*model, 1);
  std::vector<NamedTensor> wanted;
  direct->write(wanted);
  for (Block& b : model->blocks()) b.kv.reset();
  model->input_adapters().clear();
  const auto distance = [&](const Tensor& t) {
    double total = 0;
    for (int64_t i = 0; i < t.numel(); ++i)
      total += std::pow(t.item(i) - wanted[0].tensor.item(i), 2);
    return total;
  };
  CHECK(distance(start("x")) < 0.1 * distance(start("")));
}

}  // namespace
}  // namespace lk
