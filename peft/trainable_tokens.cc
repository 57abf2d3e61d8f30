// Trainable tokens (HF PEFT): the rows of chosen tokens in an embedding are replaced by rows that
// train, which start as the base's. Trained: d for each token.
#include "peft/trainable_tokens.h"

#include <map>

#include "autograd/ops.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

class TokenRows : public EmbeddingAdapter {
 public:
  TokenRows(Place& place, const std::vector<int32_t>& tokens)
      : rows_(place.parameter(
            "trainable_tokens_delta",
            embedding(place.embedding->weight.var, tokens, place.dtype()).value())) {
    for (const int32_t t : tokens) places_.emplace(t, static_cast<int32_t>(places_.size()));
  }
  Var forward(const Embedding&, std::span<const int32_t> ids, const Inner& inner) override {
    const Var base = inner(ids);
    std::vector<int32_t> rows;  // of [base; ours]
    for (size_t t = 0; t < ids.size(); ++t) {
      const auto found = places_.find(ids[t]);
      rows.push_back(found == places_.end() ? static_cast<int32_t>(t)
                                            : static_cast<int32_t>(ids.size()) + found->second);
    }
    return gather_rows(concat_rows({base, cast(rows_.var, base.dtype())}), rows);
  }
  void visit(const ParameterVisitor& f) override { f(rows_); }

 private:
  Parameter rows_;
  std::map<int32_t, int32_t> places_;
};

class TrainableTokens : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;

 protected:
  std::vector<std::string> usual_targets(const Model& model) const override {
    std::vector<std::string> names;
    const_cast<Model&>(model).visit_embeddings([&](Embedding& e) {
      if (names.empty() && e.weight.shape[0] == model.info().vocab_size) names.push_back(e.name);
    });
    return names;
  }
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    fail("{}: target_modules names '{}', a linear layer; trainable tokens are rows of an embedding",
         settings_.source(), place.module);
  }
  std::shared_ptr<EmbeddingAdapter> make_embedding_part(Place& place) override {
    bool tied = place.model.head_modules().empty() && place.model.info().causal;
    place.model.visit_linears([&](Linear& l) { tied = tied && l.role() != Role::head; });
    require(!tied,
            "'{}' is also the output layer of this model; HF PEFT would train its rows there too, "
            "which is not supported",
            place.module);
    std::vector<int32_t> tokens;
    for (const int64_t t : settings_.integers("token_indices")) {
      require(t >= 0 && t < place.in, "{}: token_indices names {}; '{}' has {} rows",
              settings_.source(), t, place.module, place.in);
      require(std::find(tokens.begin(), tokens.end(), static_cast<int32_t>(t)) == tokens.end(),
              "{}: token_indices names {} twice", settings_.source(), t);
      tokens.push_back(static_cast<int32_t>(t));
    }
    require(!tokens.empty(), "{}: token_indices is empty; name the ids that train",
            settings_.source());
    return std::make_shared<TokenRows>(place, tokens);
  }
};

}  // namespace

MethodInfo trainable_tokens_info() {
  return {
      "trainable-tokens",
      "TRAINABLE_TOKENS",
      "the embeddings of a few tokens",
      "HF PEFT",
      1e-3,
      with_target_options({{"tokens", "token_indices", "[]", "ids of the tokens, comma-separated"},
                           {"", "init_weights", "true", ""}},
                          false),
      make_method<TrainableTokens>};
}

}  // namespace lk
