// One row for each registered method.
#include "tests/peft/contract.h"

namespace lk::test {
namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// f(in, out) summed over the layers that all-linear takes.
std::function<int64_t(Model&)> each(std::function<int64_t(int64_t in, int64_t out)> f,
                                    int64_t shared = 0) {
  return [f, shared](Model& m) { return over_linears(m, f) + shared; };
}

// Parameters of the model whose name and shape fit, outside a classifier's head.
std::function<int64_t(Model&)> own(std::function<bool(const Model&, const Parameter&)> fits) {
  return [fits](Model& m) {
    int64_t total = 0;
    m.visit_parameters([&](const Parameter& p) {
      for (const std::string& head : m.head_modules())
        if (p.name.rfind(head + ".", 0) == 0) return;
      if (fits(m, p)) total += p.shape.numel();
    });
    return total;
  };
}

int64_t blocks(Model& m) { return static_cast<int64_t>(m.blocks().size()); }
// Attentions of the model, and how many kinds of them have an AdapterHub prefix of their own.
int64_t attentions(const Model& m) {
  return m.info().layers +
         (m.info().encoder_decoder() ? m.info().encoder_layers + m.info().layers : 0);
}
int64_t prefixes(const Model& m) { return m.info().encoder_decoder() ? 3 : 1; }
// Layers of a prefix's file: of an encoder-decoder an odd number (peft/prefix.cc).
int64_t file_layers(const Model& m) {
  return m.info().encoder_decoder() ? m.info().layers | 1 : m.info().layers;
}
int64_t kv_dim(const Model& m) { return m.info().kv_heads * m.info().head_dim; }

// A bottleneck adapter's, its width the hidden size over `reduction`.
int64_t adapter_size(const Model& m, int64_t reduction) {
  const int64_t d = m.info().hidden_size, b = d / reduction;
  return 2 * d * b + b + d;
}

bool is_norm(const std::string& name) {
  return name.find("norm") != std::string::npos || name.find("LayerNorm") != std::string::npos ||
         name.find("ln_") != std::string::npos;
}

}  // namespace

const std::vector<ContractRow>& contract_rows() {
  static const std::vector<ContractRow> table{
      {.method = "full",
       .count = own([](const Model&, const Parameter&) { return true; }),
       .lr = 1e-3,
       .own_weights = true,
       .gradient_is_whole = false},  // thousands of differences: models_test checks them
      {.method = "head",
       .count = [](Model&) { return 0; },
       .own_weights = true,
       .models = {"bert"}},
      {.method = "last-layers",
       .count = own([](const Model& m, const Parameter& p) {
         const std::string last = (m.info().encoder_decoder() ? ".block." : ".") +
                                  std::to_string(m.info().layers - 1) + ".";
         return p.name.find(last) != std::string::npos ||
                p.name.rfind("transformer.ln_f", 0) == 0 || p.name == "model.norm.weight" ||
                p.name == "bert.pooler.dense.bias" || p.name.ends_with("final_layer_norm.weight");
       }),
       .lr = 5e-3,
       .own_weights = true},
      {.method = "bitfit",
       .count = own([](const Model&, const Parameter& p) { return p.name.ends_with("bias"); }),
       .own_weights = true,
       .models = {"gpt2", "llama", "bert"}},  // T5 has no biases
      {.method = "ln-tuning",
       .count = own(
           [](const Model&, const Parameter& p) { return p.shape.rank() == 1 && is_norm(p.name); }),
       .own_weights = true},
      {.method = "lora",
       .settings = R"({"r": 2, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return 2 * (in + out); })},
      {.method = "lora",
       .settings = R"({"r": 2, "use_dora": true, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return 2 * (in + out) + out; }),
       .gradient_is_whole = false},  // the norm counts as a constant (section 4.3)
      {.method = "lora",
       .settings =
           R"({"r": 2, "init_lora_weights": "pissa", "lora_alpha": 2, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return 2 * (in + out); })},
      {.method = "lora",
       .settings = R"({"r": 2, "init_lora_weights": "orthogonal", "use_rslora": true,
                       "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return 2 * (in + out); })},
      {.method = "qlora",  // on a dense base; tests/quant/qlora_test.cc has the quantized one
       .settings = R"({"r": 2})",
       .count = each([](int64_t in, int64_t out) { return 2 * (in + out); })},
      {.method = "adalora",
       .settings = R"({"init_r": 3, "target_r": 1, "tinit": 3, "tfinal": 10, "deltaT": 2,
                       "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return 3 * (in + out + 1); })},
      {.method = "ia3",
       .settings = R"({"target_modules": "all-linear", "feedforward_modules": ["down"]})",
       .count =
           [](Model& m) {
             int64_t total = 0;
             m.visit_linears([&](Linear& l) {
               if (l.role() == Role::head || l.role() == Role::pooler) return;
               total += l.role() == Role::down ? l.in_features() : l.out_features();
             });
             return total;
           }},
      {.method = "vera",
       .settings = R"({"r": 4, "target_modules": "all-linear"})",
       .count = each([](int64_t, int64_t out) { return 4 + out; })},
      {.method = "loha",
       .settings = R"({"r": 2, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return 2 * 2 * (in + out); })},
      {.method = "loha",  // r^2 above the dimensions: the dense form
       .settings = R"({"r": 5, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return 2 * 5 * (in + out); })},
      {.method = "lokr",
       .settings = R"({"r": 2, "decompose_factor": 4, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) {
         const int64_t b = out / 4, d = in / 4;
         return 16 + (4 < std::max(b, d) ? 2 * (b + d) : b * d);
       })},
      {.method = "oft",
       .settings = R"({"oft_block_size": 4, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t) { return in / 4 * 6; })},
      {.method = "oft",
       .settings = R"({"oft_block_size": 4, "use_cayley_neumann": false, "block_share": true,
                       "target_modules": "all-linear"})",
       .count = each([](int64_t, int64_t) { return 6; })},
      {.method = "boft",
       .settings = R"({"boft_block_size": 4, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return in * 4 + out; })},
      {.method = "fourierft",
       .settings = R"({"n_frequency": 9, "target_modules": "all-linear"})",
       .count = each([](int64_t, int64_t) { return 9; })},
      {.method = "fourierft",  // few enough for the low-rank form
       .settings = R"({"n_frequency": 4, "target_modules": "all-linear"})",
       .count = each([](int64_t, int64_t) { return 4; }),
       .lr = 0.2},
      {.method = "hra",
       .settings = R"({"r": 2, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t) { return 2 * in; })},
      {.method = "hra",  // an orthonormal basis of equal columns there is not: it starts at random
       .settings = R"({"r": 2, "apply_GS": true, "init_weights": false,
                       "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t) { return 2 * in; }),
       .identity = false},
      {.method = "vblora",
       .settings = R"({"r": 2, "num_vectors": 6, "vector_length": 8, "topk": 2,
                       "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return 2 * (in + out) / 8 * 6; }, 6 * 8),
       .identity = false},  // logits and bank start at random
      {.method = "randlora",
       .settings = R"({"r": 4, "randlora_alpha": 16, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) {
         const int64_t least = std::min(in, out), n = divide_up(least, 4);
         return 4 * n + n * least;
       })},
      {.method = "c3a",
       .settings = R"({"block_size": 4, "init_weights": true, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return in * out / 4; }),
       .lr = 0.3},
      {.method = "shira",
       .settings = R"({"r": 1, "target_modules": "all-linear"})",
       .count = each([](int64_t in, int64_t out) { return in + out; })},
      {.method = "road",
       .settings = R"({"group_size": 4, "target_modules": "all-linear"})",
       .count = each([](int64_t, int64_t out) { return out; })},
      {.method = "road",
       .settings = R"({"variant": "road_4", "group_size": 4, "target_modules": "all-linear"})",
       .count = each([](int64_t, int64_t out) { return 4 * out; })},
      {.method = "miss",
       .settings = R"({"r": 4, "target_modules": "all-linear"})",
       .count = each([](int64_t, int64_t out) { return 4 * out; })},
      {.method = "trainable-tokens",
       .settings = R"({"token_indices": [3, 7, 11, 2, 9]})",
       .count = [](Model& m) { return 5 * m.info().hidden_size; },
       .lr = 0.1},
      {.method = "prefix",
       .settings = R"({"num_virtual_tokens": 3})",
       .count = [](Model& m) { return 3 * 2 * kv_dim(m) * file_layers(m); },
       .identity = false,
       .merges = false},
      {.method = "prefix",
       .settings =
           R"({"num_virtual_tokens": 3, "prefix_projection": true, "encoder_hidden_size": 5})",
       .count =
           [](Model& m) {
             return 3 * kv_dim(m) + 5 * kv_dim(m) + 5 + (5 + 1) * 2 * kv_dim(m) * m.info().layers;
           },
       .identity = false,
       .merges = false},
      {.method = "prompt",
       .settings = R"({"num_virtual_tokens": 4})",
       .count = [](Model& m) { return 4 * m.info().hidden_size; },
       .lr = 0.1,
       .identity = false,
       .merges = false},
      {.method = "ptuning",
       .settings = R"({"num_virtual_tokens": 3, "encoder_hidden_size": 6})",
       .count =
           [](Model& m) {
             const int64_t d = m.info().hidden_size;
             return 3 * d + (d * 6 + 6) + (6 * 6 + 6) + (6 * d + d);
           },
       .identity = false,
       .merges = false},
      {.method = "ptuning",
       .settings = R"({"num_virtual_tokens": 2, "encoder_hidden_size": 3, "encoder_num_layers": 1,
                       "encoder_reparameterization_type": "LSTM"})",
       .count =
           [](Model& m) {
             const int64_t d = m.info().hidden_size;
             return 2 * d + 2 * (12 * d + 12 * 3 + 24) + (6 * 6 + 6) + (6 * d + d);
           },
       .identity = false,
       .merges = false},
      {.method = "ptuning-v2",
       .settings = R"({"num_virtual_tokens": 3})",
       .count = [](Model& m) { return 3 * 2 * kv_dim(m) * file_layers(m); },
       .identity = false,
       .merges = false},
      {.method = "houlsby",
       .settings = R"({"reduction_factor": 4, "train_norms": false})",
       .count = [](Model& m) { return 2 * adapter_size(m, 4) * blocks(m); },
       .identity = false,
       .merges = false},
      {.method = "pfeiffer",
       .settings = R"({"reduction_factor": 4})",
       .count = [](Model& m) { return adapter_size(m, 4) * blocks(m); },
       .identity = false,
       .merges = false},
      {.method = "parallel",
       .settings = R"({"reduction_factor": 4})",
       .count = [](Model& m) { return adapter_size(m, 4) * blocks(m); },
       .merges = false},
      {.method = "compacter",
       .settings = R"({"reduction_factor": 4, "phm_dim": 2})",
       .count =
           [](Model& m) {
             const int64_t d = m.info().hidden_size, b = d / 4;
             return 8 + 2 * (2 * (d + b) + b + d) * blocks(m);
           },
       .identity = false,
       .merges = false},
      {.method = "mam",
       .settings = R"({"prefix_length": 2, "bottleneck_size": 3, "reduction_factor": 4})",
       .count =
           [](Model& m) {
             const int64_t d = m.info().hidden_size;
             return prefixes(m) * (2 * d + 3 * d + 3) + (3 + 1) * 2 * kv_dim(m) * attentions(m) +
                    adapter_size(m, 4) * blocks(m);
           },
       .identity = false,
       .merges = false},
      {.method = "unipelt",
       .settings = R"({"prefix_length": 2, "bottleneck_size": 3, "reduction_factor": 4, "r": 2})",
       .count =
           [](Model& m) {
             const int64_t d = m.info().hidden_size;
             return prefixes(m) * (2 * d + 3 * d + 3) +
                    ((3 + 1) * 2 * d + 2 * 2 * 2 * d + 3 * (d + 1)) * attentions(m) +
                    (adapter_size(m, 4) + d + 1) * blocks(m);
           },
       .identity = false,
       .merges = false,
       .causal = false,  // a gate reads the whole text
       .models = {"gpt2", "bert", "t5"}},
      {.method = "adamix",
       .settings = R"({"reduction_factor": 4, "experts": 3})",
       .count =
           [](Model& m) {
             const int64_t d = m.info().hidden_size, b = d / 4;
             return (3 * (d * b + b) + b * d + d) * blocks(m);
           },
       .identity = false,
       .merges = false},
      {.method = "adapterhub",
       .settings = R"({"adapter_config": "{\"architecture\": \"lora\", \"r\": 2}"})",
       .count =
           [](Model& m) {
             const int64_t d = m.info().hidden_size, q = d, v = kv_dim(m);
             return (2 * (d + q) + 2 * (d + v)) * attentions(m);
           }},
  };
  return table;
}

}  // namespace lk::test
