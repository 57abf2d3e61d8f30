// Several adapters of one base in one model: one at a time by name, or another for each document of
// a pass (as HF PEFT's adapter_names).
#pragma once

#include <filesystem>
#include <map>

#include "peft/method.h"
#include "peft/routes.h"

namespace lk {

class AdapterSet {
 public:
  // model: a base without adapters; it must outlive this, and is as it was when this ends.
  explicit AdapterSet(Model& model);
  ~AdapterSet();
  AdapterSet(const AdapterSet&) = delete;
  AdapterSet& operator=(const AdapterSet&) = delete;
  // Loads an adapter; nothing uses it yet.
  void add(const std::string& name, const std::filesystem::path& folder);
  // What the next passes use: one adapter for all documents, "" for the base alone.
  void use(const std::string& name);
  // One for each document of the next passes, in their order. Error where one of them changes
  // weights that all documents share (a head, biases, embeddings): such adapters go one at a time.
  void use_each(const std::vector<std::string>& names);
  std::vector<std::string> names() const;

 private:
  struct Entry {
    std::string name;
    std::unique_ptr<Method> method;
    PluggedIn parts;
    std::vector<std::pair<Parameter*, Tensor>> weights;  // of the base that it has otherwise
  };
  size_t find(const std::string& name) const;
  void put(const PluggedIn& parts, const Entry* weights_of);
  Model& model_;
  PluggedIn base_;
  std::vector<Entry> entries_;
  std::map<Parameter*, Tensor> base_weights_;  // that some entry has otherwise
  std::shared_ptr<Routes> routes_ = std::make_shared<Routes>();
  std::unique_ptr<PluggedIn> routed_;  // over all entries, made when first needed
};

}  // namespace lk
