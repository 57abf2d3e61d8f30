#include "tests/peft/adapter_case.h"

#include <limits>

#include "autograd/ops.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

std::filesystem::path weights_of(const std::filesystem::path& folder) {
  const auto hub = folder / "adapter.safetensors";
  return std::filesystem::exists(hub) ? hub : folder / "adapter_model.safetensors";
}

std::shared_ptr<const SafetensorsFile> rewritten(AdapterCase& c, const TempDir& dir) {
  save_adapter(dir.path(), *c.loaded.model, *c.method, *c.config.info, "", c.config.labels);
  return SafetensorsFile::open(weights_of(dir.path()));
}

}  // namespace

AdapterCase open_adapter_case(const std::filesystem::path& folder,
                              const std::filesystem::path& base) {
  const auto vectors = SafetensorsFile::open(folder / "vectors.safetensors");
  LoadOptions options;
  const bool pairs = Config::load(base).boolean("is_encoder_decoder", false);
  if (!pairs && !read_batch(*vectors, "in.").class_labels.empty())
    options.task = Task::classification;
  AdapterCase c{folder, vectors, {}, load_model(base, options), read_adapter_config(folder),
                nullptr};
  c.batch = read_batch(*vectors, "in.", c.loaded.model->info());
  c.method = load_adapter(c.folder, c.config, *c.loaded.model);
  return c;
}

double logits_error(AdapterCase& c) {
  const NoGrad no_grad;
  Model& model = *c.loaded.model;
  ModelInput in = c.batch.input();
  const Var h = model.hidden(in);
  const Tensor expected = c.vectors->get("out.logits");
  if (!c.batch.class_labels.empty()) {  // a test may have dropped the last documents
    const Tensor logits = model.class_logits(h, in.packing).value();
    return max_difference(logits, expected.rows(0, logits.dim(0)));
  }
  const Tensor logits = model.lm_logits(h).value();
  const int64_t width = logits.dim(1), length = expected.dim(1);
  if (expected.dim(2) != width) return std::numeric_limits<double>::infinity();
  // Virtual tokens stand first in both; padding comes after a text.
  double most = 0;
  for (size_t b = 0; b + 1 < in.packing.offsets.size(); ++b)
    for (int64_t t = in.packing.offsets[b]; t < in.packing.offsets[b + 1]; ++t)
      for (int64_t j = 0; j < width; ++j) {
        const int64_t place = static_cast<int64_t>(b) * length + t - in.packing.offsets[b];
        const double d = std::abs(logits.item(t * width + j) - expected.item(place * width + j));
        if (!(d <= most)) most = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
      }
  return most;
}

double loss_error(AdapterCase& c) {
  const NoGrad no_grad;
  return std::abs(mean_loss(*c.loaded.model, c.batch).value().item() -
                  c.vectors->get("out.loss").item());
}

std::map<std::string, Tensor> file_gradients(AdapterCase& c) {
  const auto trained = select_parameters(*c.loaded.model, *c.method);
  backward(mean_loss(*c.loaded.model, c.batch));
  for (Parameter* p : trained)
    p->set(p->var.grad().defined() ? p->var.grad() : Tensor::zeros(p->shape, DType::f32));
  const TempDir dir;
  const auto file = rewritten(c, dir);
  std::map<std::string, Tensor> out;
  for (const std::string& name : file->names()) out[name] = file->get(name).clone();
  return out;
}

std::string rewritten_difference(AdapterCase& c) {
  const TempDir dir;
  const auto ours = rewritten(c, dir), theirs = SafetensorsFile::open(weights_of(c.folder));
  std::string out;
  for (const std::string& name : theirs->names())
    if (!ours->has(name))
      out += "missing " + name + "; ";
    else if (!same_bits(ours->get(name), theirs->get(name)))
      out += "differs in " + name + "; ";
  for (const std::string& name : ours->names())
    if (!theirs->has(name)) out += "has in addition " + name + "; ";
  return out;
}

}  // namespace lk::test
