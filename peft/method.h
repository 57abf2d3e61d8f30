// A fine-tuning method: what it adds to a model, which existing weights it trains, and how its
// adapter is called in files. One pair of files per method, one line in registry.cc.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nn/model.h"
#include "peft/settings.h"

namespace lk {

class Method {
 public:
  virtual ~Method() = default;
  // Plugs the method's parts into the model's hooks. seed: of initial values.
  virtual void attach(Model& model, uint64_t seed) = 0;
  // The parameters that the method adds, under the names that adapter files give them.
  virtual void visit(const ParameterVisitor& f) = 0;
  // Whether an existing weight of the model trains (its Hugging Face name).
  virtual bool selects(const std::string& parameter) const = 0;
  // The name under which a selected weight of the model stands in an adapter file.
  virtual std::string file_name(const std::string& parameter) const {
    return "base_model.model." + parameter;
  }
  // Puts what was learnt into the base weights and takes the parts out; Error where that is
  // impossible.
  virtual void merge(Model& model) = 0;
  // The keys of adapter_config.json.
  virtual const Settings& settings() const = 0;
};

// One option of a method: a key of adapter_config.json and a flag of the command line.
struct MethodOption {
  std::string flag, key, value, help;  // value: the default, as JSON text
};

struct MethodInfo {
  std::string name;       // on the command line: "lora"
  std::string peft_type;  // in adapter_config.json: "LORA"; empty where HF PEFT has no such method
  std::string summary, paper;
  double default_lr;
  std::vector<MethodOption> options;
  std::unique_ptr<Method> (*make)(const Settings& settings);
  // How the tools hold the base's linear layers unless told otherwise: "" as they are, or a type of
  // quant/, with double quantization.
  std::string base_quant = {};
};

const std::vector<MethodInfo>& methods();  // the registry
const MethodInfo& find_method(
    const std::string& name);  // by name or peft_type; Error lists the known ones

// Makes what the method selects and the task's new head trainable, everything else frozen; returns
// the trained parameters with the names that adapter files give them.
std::vector<Parameter*> select_parameters(Model& model, Method& method);

}  // namespace lk
