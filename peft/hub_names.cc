#include "peft/hub_names.h"

#include "engine/error.h"

namespace lk {

HubNames::HubNames(Model& model, const std::string& adapter) : adapter_(adapter) {
  const std::string& type = model.info().model_type;
  if (type == "t5") style_ = Style::t5;
  if (type == "bert" || type == "roberta") style_ = Style::bert;
  blocks_.resize(model.blocks().size());
  attentions_.resize(blocks_.size());
  model.visit_linears([&](Linear& l) {
    if (l.layer() < 0) return;
    const auto block = static_cast<size_t>(l.layer());
    const std::string& name = l.name();
    const std::string number = "." + std::to_string(l.layer()) + ".";
    // T5 counts the blocks of encoder and decoder on their own: "decoder.block.0.layer.2..."
    const size_t end =
        style_ == Style::t5 ? name.find(".layer.") : name.find(number) + number.size() - 1;
    blocks_[block] = name.substr(0, end);
    if (style_ != Style::t5) root_ = name.substr(0, name.find('.') + 1);
    if (l.role() == Role::k || l.role() == Role::qkv)
      attentions_[block].push_back(name.substr(0, name.rfind('.')));
  });
  embedding_root_ = style_ == Style::t5 ? "encoder." : root_;
}

std::string HubNames::attention_adapter(size_t block) const {
  constexpr const char* places[] = {".attention_adapters", ".attention.output", ".layer.0"};
  return blocks_[block] + places[static_cast<size_t>(style_)] + ".adapters." + adapter_ + ".";
}

std::string HubNames::cross_adapter(size_t block) const {
  return blocks_[block] + ".layer.1.adapters." + adapter_ + ".";
}

std::string HubNames::output_adapter(size_t block) const {
  const char* places[] = {".output_adapters", ".output",
                          has_cross(block) ? ".layer.2" : ".layer.1"};
  return blocks_[block] + places[static_cast<size_t>(style_)] + ".adapters." + adapter_ + ".";
}

std::string HubNames::prefix_gate(size_t block, bool cross) const {
  return attentions_[block][cross ? 1 : 0] + ".prefix_tuning.prefix_gates." + adapter_ + ".";
}

std::vector<std::string> HubNames::prefixes(const std::string& kind) const {
  const std::string end = "prefix_tunings." + adapter_ + "." + kind + "_prefix.";
  std::vector<std::string> out{root_ + "prefix_tuning." + end};
  for (const auto& block : attentions_)
    for (const std::string& attention : block)
      out.push_back(attention + ".prefix_tuning.pool." + end);
  return out;
}

}  // namespace lk
