// RoBERTa (Liu et al. 2019, arXiv:1907.11692): BERT without sentence types, whose positions start
// behind the padding token's row, and whose classifier has a dense layer of its own.
#include "nn/models/encoder.h"
#include "nn/models/models.h"

namespace lk {

std::unique_ptr<Model> make_roberta(const Config& c, Task task) {
  check_fields(c, "roberta", encoder_fields());
  return make_encoder(c, task,
                      {.family = "Roberta",
                       .body = "roberta",
                       .first_position = c.integer("pad_token_id", 0, 1 << 20, 1) + 1,
                       .pooler = "classifier.dense",
                       .classifier = "classifier.out_proj",
                       .dropout_before_pooler = true,
                       .mlm_dense = "lm_head.dense",
                       .mlm_norm = "lm_head.layer_norm",
                       .mlm_bias = "lm_head.bias",
                       .mlm_act = "gelu"});
}

}  // namespace lk
