#include "tests/peft/oracle_case.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "autograd/ops.h"
#include "peft/adapter_files.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Case {
  std::filesystem::path folder;
  std::shared_ptr<const SafetensorsFile> vectors;
  OracleBatch batch;
  LoadedModel loaded;
  AdapterConfig config;
  std::unique_ptr<Method> method;
  Model& model() const { return *loaded.model; }
};

Case open_case(const std::filesystem::path& folder, const std::filesystem::path& base) {
  const auto vectors = SafetensorsFile::open(folder / "vectors.safetensors");
  LoadOptions options;
  options.task = task_of(Config::load(base));
  Case c{folder, vectors, {}, load_model(base, options), read_adapter_config(folder), nullptr};
  c.batch = read_batch(*vectors, "in.", c.model().info());
  c.method = load_adapter(folder, c.config, c.model());
  return c;
}

Tensor logits_of(const Case& c) { return logits_of(c.model(), c.batch); }

// Padding is not computed; the rows of virtual tokens in front are compared from their document's
// first real token on.
double logits_error(const Case& c, const Tensor& logits) {
  const Tensor expected = c.vectors->get("out.logits");
  const bool by_token = c.batch.class_labels.empty();
  const int64_t width = logits.dim(1),
                rows = by_token ? static_cast<int64_t>(c.batch.places.size()) : logits.dim(0);
  ModelInput in = c.batch.input();
  if (expected.dim(-1) != width) return kInfinity;
  // Where virtual tokens were put before every document, theirs are the rows that the reference
  // gives first, or not at all.
  const int64_t documents = static_cast<int64_t>(c.batch.packing.offsets.size()) - 1;
  const int64_t front = by_token ? (logits.dim(0) - rows) / documents : 0;
  const char* read = c.model().info().encoder_decoder() ? "in.labels" : "in.input_ids";
  const int64_t length = by_token ? c.vectors->get(read).dim(1) : 0;
  const int64_t given = by_token ? expected.dim(1) - length : 0;
  if (by_token && (logits.dim(0) != rows + front * documents || (given != 0 && given != front)))
    return kInfinity;
  double most = 0;
  for (int64_t i = 0; i < rows; ++i) {
    int64_t ours = i, theirs = i;
    if (by_token) {
      const auto place = static_cast<int64_t>(c.batch.places[static_cast<size_t>(i)]);
      const int64_t document = place / length;
      ours = i + front * (document + 1);
      theirs = place + given * (document + 1);
    }
    for (int64_t j = 0; j < width; ++j) {
      const double d = std::abs(logits.item(ours * width + j) - expected.item(theirs * width + j));
      if (!(d <= most)) most = std::isnan(d) ? kInfinity : d;
    }
  }
  return most;
}

// A reference name without what HF PEFT wraps around it in memory.
std::string file_spelling(std::string name) {
  for (const std::string part : {".default", ".modules_to_save"})
    for (size_t at = name.find(part); at != std::string::npos; at = name.find(part))
      name.erase(at, part.size());
  return name;
}

// The largest difference of a trained parameter's gradient over the tensor's largest magnitude.
// Each takes the reference gradient of its name; where exactly as many are left over on both sides,
// they pair by shape (a name that differs between file and memory). What the reference trains
// beyond that must be missing in its file (the encoder behind saved prompt embeddings).
double gradient_error(const Case& c, const std::vector<Parameter*>& trained) {
  std::map<std::string, std::string> reference;  // spelling in the file to key
  double largest = 1e-30;
  for (const std::string& key : c.vectors->names()) {
    if (key.rfind("grad.", 0) != 0) continue;
    reference[file_spelling(key.substr(5))] = key;
    largest = std::max(largest, max_magnitude(c.vectors->get(key)));
  }
  double error = 0;
  const auto compare = [&](const Parameter& p, const std::string& key) {
    if (!p.var.grad().defined()) {
      error = kInfinity;
      return;
    }
    const Tensor g = c.vectors->get(key);
    // A gradient far below all others is rounding. That of a key's bias is the rounding of what is
    // 0, as the bias moves all scores of a query alike: some 1e-7 of the largest.
    const bool zero = p.name.ends_with("key.bias") || p.name.ends_with("k_proj.bias");
    const double scale = std::max(max_magnitude(g), (zero ? 1e-4 : 1e-5) * largest);
    error = std::max(error, max_difference(p.var.grad(), g) / scale);
  };
  std::set<std::string> model_names;
  c.model().visit_parameters([&](Parameter& p) { model_names.insert(p.name); });
  std::vector<Parameter*> left;
  for (Parameter* p : trained) {
    const std::string name = model_names.count(p->name) ? c.method->file_name(p->name) : p->name;
    const auto found = std::find_if(reference.begin(), reference.end(), [&](const auto& r) {
      return r.first == name || r.first == name + ".weight";
    });
    if (found == reference.end()) {
      left.push_back(p);
      continue;
    }
    compare(*p, found->second);
    reference.erase(found);
  }
  if (left.size() == reference.size()) {
    for (Parameter* p : left) {
      const auto found = std::find_if(reference.begin(), reference.end(), [&](const auto& r) {
        return c.vectors->shape(r.second).numel() == p->shape.numel();
      });
      if (found == reference.end()) return kInfinity;
      compare(*p, found->second);
      reference.erase(found);
    }
    return error;
  }
  const auto file = SafetensorsFile::open(c.folder / "adapter_model.safetensors");
  for (const auto& [name, key] : reference)
    if (file->has(name)) return kInfinity;
  return error;
}

// 0 when saving writes what was read, else the number of tensors that differ.
double resaved_difference(const Case& c) {
  const TempDir dir;
  save_adapter(dir.path(), c.model(), *c.method, *c.config.info, c.config.base, c.config.labels);
  const auto ours = SafetensorsFile::open(dir / "adapter_model.safetensors"),
             theirs = SafetensorsFile::open(c.folder / "adapter_model.safetensors");
  size_t different = 0;
  for (const std::string& name : theirs->names())
    if (!ours->has(name) || !same_bits(ours->get(name), theirs->get(name))) ++different;
  for (const std::string& name : ours->names())
    if (!theirs->has(name)) ++different;
  return static_cast<double>(different);
}

}  // namespace

std::vector<Comparison> check_adapter(const OracleCase& given) {
  const Case c = open_case(given.folder, given.base);
  std::vector<Comparison> out;
  const Tensor logits = logits_of(c);
  out.push_back({"logits", logits_error(c, logits), given.logits});

  const auto trained = select_parameters(c.model(), *c.method);
  Var loss = mean_loss(c.model(), c.batch);
  if (const Var term = c.method->penalty(); term.defined()) loss = add(loss, term);
  const double expected = c.vectors->get("out.loss").item();
  out.push_back({"loss", std::abs(loss.value().item() - expected), given.loss});
  backward(loss);
  out.push_back({"gradients", gradient_error(c, trained), given.grad_rel});
  out.push_back({"saved", resaved_difference(c), 0});

  if (!std::filesystem::exists(c.folder / "merged.safetensors")) return out;
  const auto merged = SafetensorsFile::open(c.folder / "merged.safetensors");
  std::vector<Tensor> before;
  c.model().visit_parameters([&](Parameter& p) { before.push_back(p.var.value().clone()); });
  c.method->merge(c.model());
  double error = 0;
  size_t compared = 0;
  c.model().visit_parameters([&](Parameter& p) {
    if (!merged->has(p.name)) return;
    ++compared;
    error = std::max(error, max_difference(p.var.value(), merged->get(p.name)));
  });
  if (compared != merged->names().size()) error = kInfinity;
  out.push_back({"merged", error, 1e-5});
  // The reference's own merge moves its logits as far; ours may add the rounding of another order.
  const double moved = given.json->value("merge_max_diff", 0.0);
  out.push_back({"merged logits", max_difference(logits_of(c), logits), 2e-5 + 2 * moved});
  c.method->unmerge(c.model());
  size_t at = 0, different = same_bits(logits_of(c), logits) ? 0 : 1;
  c.model().visit_parameters([&](Parameter& p) {
    if (!same_bits(p.var.value(), before[at++])) ++different;
  });
  out.push_back({"unmerged", static_cast<double>(different), 0});
  return out;
}

}  // namespace lk::test
