// A fine-tuning method: what it adds to a model, which existing weights it trains, and how its
// adapter is called in files. One pair of files per method, one line in registry.cc.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/files/safetensors.h"
#include "nn/model.h"
#include "nn/optim/optimizer.h"
#include "peft/adapter_tensors.h"
#include "peft/settings.h"

namespace lk {

class Method {
 public:
  virtual ~Method() = default;
  // Adapters that were loaded before this one and stay frozen: in each hook they come first, as in
  // AdapterHub's Stack (but a parallel adapter reads what its sublayer read here, and every
  // invertible one takes part).
  std::vector<std::unique_ptr<Method>> below;
  // Before attach, in a new training: what initial values may be made of. tokenize: a text's ids
  // without special tokens; labels: the names of the task's classes.
  using Tokenize = std::function<std::vector<int32_t>(const std::string& text)>;
  virtual void prepare(const Tokenize& /*tokenize*/, const std::vector<std::string>& /*labels*/) {}
  // Plugs the method's parts into the model's hooks. seed: of initial values.
  virtual void attach(Model& model, uint64_t seed) = 0;
  // The parameters that the method adds: what trains and what checkpoints keep.
  virtual void visit(const ParameterVisitor& f) = 0;
  // What the adapter file holds: these parameters, unless the format has something else (HF PEFT
  // keeps what a prompt's encoder gave, not the encoder).
  virtual void write(std::vector<NamedTensor>& file);
  virtual void read(AdapterTensors& file);
  // Whether an existing weight of the model trains (its Hugging Face name).
  virtual bool selects(const std::string& parameter) const = 0;
  // The name under which a selected weight of the model stands in an adapter file.
  virtual std::string file_name(const std::string& parameter) const {
    return "base_model.model." + parameter;
  }
  // Frozen tensors of the method's own that its adapter file holds beside what trains.
  virtual void visit_frozen(const ParameterVisitor&) {}
  // Puts what was learnt into the base weights and takes the parts out; Error where that is
  // impossible.
  virtual void merge(Model& model) = 0;
  // Above 0, training passes twice over each batch and adds so much of the symmetric KL divergence
  // of what the passes predict: for methods whose passes differ by chance.
  virtual double consistency() const { return 0; }
  // The reverse: base weights as they were, to the bit, and the parts back in.
  virtual void unmerge(Model& model);
  // Off, the model computes what its base does.
  virtual void set_enabled(Model& model, bool on);
  // The keys of adapter_config.json.
  virtual const Settings& settings() const = 0;

  // --- around the training loop; step counts updates from 0 ---
  // Before the first update; Error when the settings do not fit so many.
  virtual void start_training(int64_t /*total_steps*/) {}
  // A term of the loss beside the data's, once per update; undefined where there is none.
  virtual Var penalty() { return {}; }
  // After the optimizer's step, while the gradients it used are still there.
  virtual void after_update(int64_t /*step*/) {}
  // Before the adapter is saved.
  virtual void finish_training() {}
  // The learning rate of a parameter over that of the run.
  virtual double lr_scale(const std::string& /*parameter*/) const { return 1.0; }
  // What a resumed run needs beside the parameters.
  virtual void visit_state(const std::function<void(const std::string& name, Tensor& state)>&) {}
};

// One option of a method: a key of adapter_config.json and a flag of the command line (none: of
// files only). The default's JSON type says how a flag is read: null or [] a list, {} an object.
struct MethodOption {
  std::string flag, key, value, help;  // value: the default, as JSON text
  std::string absent = {};             // what a file without the key means, where that differs
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

// MethodInfo::make of a class that is built from Settings.
template <class M>
std::unique_ptr<Method> make_method(const Settings& settings) {
  return std::make_unique<M>(settings);
}

const std::vector<MethodInfo>& methods();  // the registry
const MethodInfo& find_method(
    const std::string& name);  // by name or peft_type; Error lists the known ones

// Which of the model's own weights train: what the method selects, the task's head, and the modules
// of `modules_to_save`. Error when such a module is not there; it names the nearest.
std::function<bool(const std::string& parameter)> trained_weights(Model& model,
                                                                  const Method& method);

// The parameters that the method and those below it add; the lowest first.
void visit_stack(Method& method, const ParameterVisitor& f);
// Merges what lies below, then the method.
void merge_stack(Model& model, Method& method);

// Moves the parameters of the model, and of the method and what lies below it, to a device. Before
// that, a method is attached on the CPU.
void move_parameters(Model& model, Method* method, Device device);

// Makes trained_weights and the method's own parameters trainable, everything else frozen; returns
// the trained parameters with the names that adapter files give them.
std::vector<Parameter*> select_parameters(Model& model, Method& method);

// The task's head, where it learns at a rate of its own: the names of its modules
// (Model::head_modules), and its rate over that of the run.
struct HeadRate {
  std::vector<std::string> modules;
  double lr_scale = 1.0;
};

// The same as an optimizer takes them: matrices decay, vectors do not, lr_scale as the method and
// the head say.
std::vector<ParamGroup> parameter_groups(const std::vector<Parameter*>& trained,
                                         const Method& method, double weight_decay,
                                         const HeadRate& head = {});

}  // namespace lk
