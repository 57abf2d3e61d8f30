#include "peft/linear_method.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/dry_run.h"
#include "peft/name_pattern.h"

namespace lk {
namespace {

bool all_zero(const Tensor& t) {
  for (int64_t i = 0; i < t.numel(); ++i)
    if (t.item(i) != 0) return false;
  return true;
}

// While it lives, dropout does nothing.
class NoDropout {
 public:
  explicit NoDropout(Model& model) : model_(model), was_(model.training) { model.training = false; }
  ~NoDropout() { model_.training = was_; }
  NoDropout(const NoDropout&) = delete;
  NoDropout& operator=(const NoDropout&) = delete;

 private:
  Model& model_;
  bool was_;
};

// [end - begin, n]: unit vectors begin..end.
Tensor unit_vectors(int64_t begin, int64_t end, int64_t n, DType dtype) {
  Tensor x = Tensor::zeros({end - begin, n}, dtype);
  visit_float(dtype, [&](auto type) {
    using T = decltype(type);
    for (int64_t i = begin; i < end; ++i) x.data<T>()[(i - begin) * n + i] = static_cast<T>(1.0f);
  });
  return x;
}

}  // namespace

Tensor Place::uniform(const Shape& shape, double bound) {
  Tensor t = Tensor::empty(shape, DType::f64);
  if (dry_run()) return t.to(dtype());
  for (double& x : t.span<double>()) x = (2.0 * random.uniform53() - 1.0) * bound;
  return t.to(dtype());
}

Tensor Place::normal(const Shape& shape, double std) {
  Tensor t = Tensor::empty(shape, DType::f64);
  if (dry_run()) return t.to(dtype());
  for (double& x : t.span<double>()) x = random.normal() * std;
  return t.to(dtype());
}

LinearMethod::LinearMethod(const Settings& settings)
    : settings_(settings), bias_mode_(settings.has("bias") ? settings.text("bias") : "none") {
  require(bias_mode_ == "none" || bias_mode_ == "all" || bias_mode_.ends_with("_only"),
          "{}: 'bias' is '{}'; expected none, all or lora_only", settings.source(), bias_mode_);
}

std::shared_ptr<EmbeddingAdapter> LinearMethod::make_embedding_part(Place& place) {
  fail("{}: target_modules names '{}', an embedding; this method works in linear layers",
       settings_.source(), place.module);
}

void LinearMethod::base_replaced(const Linear& linear, std::function<void()> original) {
  originals_[&linear] = std::move(original);
}

void LinearMethod::attach(Model& model, uint64_t seed) {
  const CategoryScope weights(Category::weights);
  const Targets targets = find_targets(model, settings_, usual_targets(model));
  begin(model, targets);
  uint64_t stream = 1;
  for (Linear* l : targets.linears) {
    Place place{l->name(), l->in_features(),      l->out_features(), l, nullptr,
                model,     Random(seed, stream++)};
    Site site{l, make_part(place), {}, {}};
    l->adapters().push_back(site.part);
    sites_.push_back(site);
    if (l->has_bias()) biases_.insert(l->name() + ".bias");
  }
  for (Embedding* e : targets.embeddings) {
    Place place{e->name, e->weight.shape[0],    e->weight.shape[1], nullptr, e,
                model,   Random(seed, stream++)};
    EmbeddingSite site{e, make_embedding_part(place), {}};
    e->adapters.push_back(site.part);
    embedding_sites_.push_back(site);
  }
  if (bias_mode_ == "all") {
    std::vector<std::string> modules = settings_.texts("modules_to_save");
    for (const std::string& head : model.head_modules()) modules.push_back(head);
    model.visit_parameters([&](Parameter& p) {
      const std::string module = p.name.substr(0, p.name.rfind('.'));
      if (!p.name.ends_with(".bias") || !is_named(module, modules)) return;
      Parameter original("base_model.model." + module + ".original_module.bias", p.shape);
      original.set(p.var.value());
      head_biases_.push_back({&p, original});
    });
  }
  // HF PEFT knows no roles, and each version has its own usual targets: the file names the modules.
  std::vector<std::string> modules;
  for (const Site& s : sites_) modules.push_back(s.linear->name());
  for (const EmbeddingSite& s : embedding_sites_) modules.push_back(s.embedding->name);
  const std::vector<std::string> given = settings_.texts_or_none("target_modules");
  const bool readable =
      settings_.is_text("target_modules") ||
      (!given.empty() && std::all_of(given.begin(), given.end(), [&](const std::string& name) {
        return std::any_of(modules.begin(), modules.end(),
                           [&](const std::string& m) { return is_named(m, {name}); });
      }));
  if (!readable) settings_.set("target_modules", modules);
}

void LinearMethod::visit_frozen(const ParameterVisitor& f) {
  for (HeadBias& b : head_biases_) {
    f(b.original);
    const std::string module = b.original.name.substr(0, b.original.name.find(".original_module."));
    Parameter copy(module + ".modules_to_save.bias", b.original.shape);
    copy.set(b.now->var.value());
    f(copy);
  }
}

void LinearMethod::visit(const ParameterVisitor& f) {
  for (Site& s : sites_) s.part->visit(f);
  for (EmbeddingSite& s : embedding_sites_) s.part->visit(f);
}

bool LinearMethod::selects(const std::string& parameter) const {
  if (bias_mode_.ends_with("_only")) return biases_.count(parameter) > 0;
  return bias_mode_ == "all" && parameter.ends_with(".bias");
}

std::string LinearMethod::file_name(const std::string& parameter) const {
  // HF PEFT wraps a target layer, so its own bias is called base_layer.bias.
  if (!biases_.count(parameter)) return Method::file_name(parameter);
  return "base_model.model." + parameter.substr(0, parameter.size() - 4) + "base_layer.bias";
}

void LinearMethod::merge_linear(Model& model, Site& site) const {
  Linear& linear = *site.linear;
  const DType dtype = model.compute_dtype() == DType::f64 ? DType::f64 : DType::f32;
  const int64_t in = linear.in_features(), out = linear.out_features();
  const Var w = linear.weight().dense(dtype);
  const auto through = [&](const Tensor& x, const Var& bias) {
    return site.part->forward(linear, x, [&](const Var& z) { return lk::linear(z, w, bias); })
        .value();
  };
  const Tensor zero = Tensor::zeros({1, in}, dtype), rest = through(zero, {});
  const bool shifted = !all_zero(rest);
  Tensor merged = Tensor::empty({out, in}, dtype);
  constexpr int64_t kRows = 256;
  for (int64_t begin = 0; begin < in; begin += kRows) {
    const int64_t end = std::min(in, begin + kRows);
    const Tensor y = through(unit_vectors(begin, end, in, dtype), {});
    visit_float(dtype, [&](auto type) {
      using T = decltype(type);
      if constexpr (sizeof(T) >= 4)
        for (int64_t i = begin; i < end; ++i)
          for (int64_t o = 0; o < out; ++o)
            merged.data<T>()[o * in + i] = y.data<T>()[(i - begin) * out + o] -
                                           (shifted ? rest.data<T>()[o] : static_cast<T>(0));
    });
  }
  site.unmerge = linear.weight().snapshot();
  if (linear.has_bias()) {
    site.bias = linear.bias().var;
    const Tensor b = through(zero, linear.bias().var).view({out});
    linear.bias().set(b.to(site.bias.dtype()));
  }
  linear.weight().assign(merged);
}

void LinearMethod::merge(Model& model) {
  require(!merged_, "the adapter is merged already");
  const NoGrad no_grad;
  const NoDropout no_dropout(model);
  bool tied = true;  // the output layer is the embedding, unless there is a head
  model.visit_linears([&](Linear& l) { tied = tied && l.role() != Role::head; });
  for (const EmbeddingSite& s : embedding_sites_)
    require(
        !tied || s.embedding->weight.shape[0] != model.info().vocab_size,
        "'{}' is also the output layer of this model, where the adapter does not act: merging it "
        "would change the logits",
        s.embedding->name);
  for (Site& site : sites_) merge_linear(model, site);
  for (EmbeddingSite& s : embedding_sites_) {
    std::vector<int32_t> all(static_cast<size_t>(s.embedding->weight.shape[0]));
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
    s.table = s.embedding->weight.var;
    const DType dtype = model.compute_dtype() == DType::f64 ? DType::f64 : DType::f32;
    const Tensor rows =
        s.part
            ->forward(*s.embedding, all,
                      [&](std::span<const int32_t> ids) { return embedding(s.table, ids, dtype); })
            .value();
    s.embedding->weight.set(rows.to(s.table.dtype()));
  }
  if (enabled_) {
    for (Site& s : sites_) std::erase(s.linear->adapters(), s.part);
    for (EmbeddingSite& s : embedding_sites_) std::erase(s.embedding->adapters, s.part);
  }
  merged_ = true;
}

void LinearMethod::unmerge(Model&) {
  require(merged_, "the adapter is not merged");
  for (Site& s : sites_) {
    s.unmerge();
    if (s.linear->has_bias()) s.linear->bias().var = s.bias;
    s.linear->adapters().push_back(s.part);
  }
  for (EmbeddingSite& s : embedding_sites_) {
    s.embedding->weight.var = s.table;
    s.embedding->adapters.push_back(s.part);
  }
  merged_ = false;
}

void LinearMethod::set_enabled(Model&, bool on) {
  require(!merged_, "a merged adapter cannot be switched; unmerge it first");
  if (on == enabled_) return;
  enabled_ = on;
  for (Site& s : sites_) {
    if (const auto found = originals_.find(s.linear); found != originals_.end()) {
      if (!on) replaced_[s.linear] = s.linear->weight().snapshot();
      (on ? replaced_[s.linear] : found->second)();
    }
    if (on)
      s.linear->adapters().push_back(s.part);
    else
      std::erase(s.linear->adapters(), s.part);
  }
  for (EmbeddingSite& s : embedding_sites_) {
    if (on)
      s.embedding->adapters.push_back(s.part);
    else
      std::erase(s.embedding->adapters, s.part);
  }
}

double pattern_value(const Settings& settings, const std::string& key, const std::string& module,
                     double otherwise) {
  if (!settings.has(key)) return otherwise;
  const auto& patterns = settings.json()[key];
  require(patterns.is_object(), "{}: '{}' is {}; expected an object of module names and numbers",
          settings.source(), key, patterns.dump());
  for (const auto& [pattern, value] : patterns.items()) {
    require(value.is_number(), "{}: '{}' gives '{}' the value {}; expected a number",
            settings.source(), key, pattern, value.dump());
    if (is_named(module, {pattern}) ||
        NamePattern("(.*\\.)?(" + pattern + ")", settings.source() + ": " + key).matches(module))
      return value.get<double>();
  }
  return otherwise;
}

int64_t rank_of(const Settings& settings, const std::string& key, const Place& place) {
  const double r = pattern_value(settings, "rank_pattern", place.module,
                                 static_cast<double>(settings.integer(key, 1, 1 << 16)));
  require(r >= 1 && r <= static_cast<double>(std::min(place.in, place.out)),
          "{}: the rank {} of '{}' is outside 1..{}, the rank of its [{}, {}] matrix",
          settings.source(), r, place.module, std::min(place.in, place.out), place.out, place.in);
  return static_cast<int64_t>(r);
}

bool starts_neutral(const Settings& settings) {
  return !settings.has("init_weights") || settings.boolean("init_weights");
}

std::vector<MethodOption> with_target_options(std::vector<MethodOption> own, bool bias) {
  own.push_back(
      {"target-modules", "target_modules", "null",
       "names of linear layers, comma-separated, or all-linear, or a regular expression"});
  own.push_back({"exclude-modules", "exclude_modules", "null", "names to leave out, likewise"});
  own.push_back({"layers", "layers_to_transform", "null", "only these blocks, e.g. 0,1"});
  own.push_back({"", "layers_pattern", "null", "the name before a block's number"});
  own.push_back({"modules-to-save", "modules_to_save", "null", "modules that train in full"});
  if (bias)
    own.push_back({"train-bias", "bias", "\"none\"", "train biases too: none, all, lora_only"});
  return own;
}

}  // namespace lk
