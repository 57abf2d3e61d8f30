// The encoder that BERT and RoBERTa share (Devlin et al. 2019, arXiv:1810.04805): post-norm blocks
// over learnt positions, and a head for the task.
//   x = LN(x + O attention(Q x, K x, V x))
//   x = LN(x + W_2 gelu(W_1 x))
//   classification         W_c tanh(W_p x[first token])
//   token classification   W_c x
//   masked language model  E LN(gelu(W_t x)) + b        E: the token embeddings
// A file for each descendant names its parts.
#pragma once

#include <memory>
#include <string>

#include "nn/config_fields.h"
#include "nn/model.h"

namespace lk {

struct EncoderSpec {
  std::string family;                  // "Bert": BertModel, BertForSequenceClassification, ...
  std::string body;                    // prefix of the body's names: "bert"
  int64_t first_position = 0;          // row of the position table that a text's first token takes
  std::string pooler, classifier;      // W_p and W_c of classification
  bool dropout_before_pooler = false;  // as well as behind it
  std::string mlm_dense, mlm_norm, mlm_bias;  // W_t, LN and b
  std::string mlm_act;                        // "": hidden_act
};

std::unique_ptr<Model> make_encoder(const Config& config, Task task, const EncoderSpec& spec);

// The keys that make_encoder reads.
ConfigFields encoder_fields();

}  // namespace lk
