#include "peft/invertible.h"

#include "autograd/ops.h"
#include "peft/activation.h"
#include "peft/initial.h"

namespace lk {

NiceCoupling::NiceCoupling(const std::string& name, int64_t d, const Settings& s)
    : first_(d / 2), second_(d - d / 2), activation_(s.text("non_linearity")) {
  require(s.text("inv_adapter") == "nice", "{}: inv_adapter is '{}'; only nice is supported",
          s.source(), s.text("inv_adapter"));
  const double factor = s.number("inv_adapter_reduction_factor", 1.0 / 64, 1e6);
  for (const auto& [net, in, out] :
       {std::tuple{"F", second_, first_}, std::tuple{"G", first_, second_}}) {
    const auto hidden = static_cast<int64_t>(static_cast<double>(in) / factor);
    require(hidden > 0, "{}: inv_adapter_reduction_factor {} leaves no width", s.source(), factor);
    parameters_.emplace_back(name + net + ".0.weight", Shape{hidden, in});
    parameters_.emplace_back(name + net + ".0.bias", Shape{hidden});
    parameters_.emplace_back(name + net + ".2.weight", Shape{out, hidden});
    parameters_.emplace_back(name + net + ".2.bias", Shape{out});
  }
}

void NiceCoupling::initialise(uint64_t seed) {
  uint64_t stream = 1;
  for (Parameter& p : parameters_)
    if (p.shape.rank() == 2)
      fill_normal(p, 0.02, seed, stream++);
    else
      fill(p, 0);
}

Var NiceCoupling::half(const Var& x, size_t net) const {
  const Parameter* p = &parameters_[4 * net];
  return linear(activation_of(activation_)(linear(x, p[0].var, p[1].var)), p[2].var, p[3].var);
}

Var NiceCoupling::forward(const Var& x) const {
  const std::vector<Var> parts = split_columns(x, {first_, second_});
  const Var y1 = add(parts[0], half(parts[1], 0));
  return concat_columns({y1, add(parts[1], half(y1, 1))});
}

void NiceCoupling::visit(const ParameterVisitor& f) {
  for (Parameter& p : parameters_) f(p);
}

namespace {

struct Entrance : EmbeddedAdapter {
  std::shared_ptr<NiceCoupling> coupling;
  Var forward(const Var& x, Packing&) override { return coupling->forward(x); }
  void visit(const ParameterVisitor& f) override { coupling->visit(f); }
};

}  // namespace

void plug_in(Model& model, const std::shared_ptr<NiceCoupling>& coupling) {
  const auto entrance = std::make_shared<Entrance>();
  entrance->coupling = coupling;
  model.embedded_adapters().push_back(entrance);
}

}  // namespace lk
