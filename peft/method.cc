#include "peft/method.h"

#include <algorithm>
#include <map>
#include <set>

#include "peft/nearest.h"

namespace lk {
namespace {

bool is_in(const std::string& parameter, const std::string& module) {
  return parameter.rfind(module + ".", 0) == 0 ||
         parameter.find("." + module + ".") != std::string::npos;
}

bool is_in_any(const std::string& parameter, const std::vector<std::string>& modules) {
  return std::any_of(modules.begin(), modules.end(),
                     [&](const std::string& m) { return is_in(parameter, m); });
}

}  // namespace

void Method::write(std::vector<NamedTensor>& file) {
  const auto put = [&](Parameter& p) { file.push_back({p.name, p.var.value()}); };
  visit(put);
  visit_frozen(put);
}

void Method::read(AdapterTensors& file) {
  const auto take = [&](Parameter& p) { file.take(p.name, p); };
  visit(take);
  visit_frozen(take);
}

void Method::unmerge(Model&) { fail("this method cannot be taken out of merged weights"); }

void Method::set_enabled(Model&, bool) {
  fail("this method trains the model's own weights: it cannot be switched off");
}

std::function<bool(const std::string&)> trained_weights(Model& model, const Method& method) {
  std::vector<std::string> modules = method.settings().texts("modules_to_save");
  const std::vector<std::string> heads = model.head_modules();
  std::set<std::string> known;
  model.visit_parameters(
      [&](const Parameter& p) { known.insert(p.name.substr(0, p.name.rfind('.'))); });
  for (const std::string& m : modules) {
    const bool found = std::any_of(known.begin(), known.end(),
                                   [&](const std::string& k) { return is_in(k + ".", m); });
    // HF PEFT names the heads of all architectures for a classifier.
    require(found || (!heads.empty() && (m == "classifier" || m == "score")),
            "{}: modules_to_save names '{}', which this model does not have; nearest: {}",
            method.settings().source(), m, nearest(m, {known.begin(), known.end()}));
  }
  modules.insert(modules.end(), heads.begin(), heads.end());
  return [&method, modules](const std::string& name) {
    return method.selects(name) || is_in_any(name, modules);
  };
}

void visit_stack(Method& method, const ParameterVisitor& f) {
  for (const auto& lower : method.below) visit_stack(*lower, f);
  method.visit(f);
}

void merge_stack(Model& model, Method& method) {
  for (const auto& lower : method.below) merge_stack(model, *lower);
  method.merge(model);
}

void move_parameters(Model& model, Method* method, Device device) {
  const auto move = [device](Parameter& p) { p.to(device); };
  model.visit_parameters(move);
  if (method) visit_stack(*method, move);
}

std::vector<Parameter*> select_parameters(Model& model, Method& method) {
  const auto trains = trained_weights(model, method);
  std::vector<Parameter*> out;
  model.visit_parameters([&](Parameter& p) {
    if (!trains(p.name)) {
      p.freeze();
      return;
    }
    p.make_trainable();
    out.push_back(&p);
  });
  method.visit([&](Parameter& p) {
    p.make_trainable();
    out.push_back(&p);
  });
  return out;
}

std::vector<ParamGroup> parameter_groups(const std::vector<Parameter*>& trained,
                                         const Method& method, double weight_decay,
                                         const HeadRate& head) {
  std::vector<ParamGroup> groups;
  std::map<std::pair<double, double>, size_t> places;
  for (const Parameter* p : trained) {
    const std::pair<double, double> key{
        p->shape.rank() >= 2 ? weight_decay : 0.0,
        is_in_any(p->name, head.modules) ? head.lr_scale : method.lr_scale(p->name)};
    if (!places.count(key)) {
      places[key] = groups.size();
      groups.push_back({{}, key.second, key.first});
    }
    groups[places[key]].params.emplace_back(p->name, p->var);
  }
  return groups;
}

}  // namespace lk
