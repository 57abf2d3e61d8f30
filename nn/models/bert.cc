// BERT (Devlin et al. 2019, arXiv:1810.04805).
#include "nn/models/encoder.h"
#include "nn/models/models.h"

namespace lk {

std::unique_ptr<Model> make_bert(const Config& c, Task task) {
  ConfigFields fields = encoder_fields();
  // Left by the first releases, read by nothing.
  for (const char* key : {"directionality", "pooler_fc_size", "pooler_num_attention_heads",
                          "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type"})
    fields.neutral.emplace_back(key);
  check_fields(c, "bert", fields);
  return make_encoder(c, task,
                      {.family = "Bert",
                       .body = "bert",
                       .pooler = "bert.pooler.dense",
                       .classifier = "classifier",
                       .mlm_dense = "cls.predictions.transform.dense",
                       .mlm_norm = "cls.predictions.transform.LayerNorm",
                       .mlm_bias = "cls.predictions.bias",
                       .mlm_act = ""});
}

}  // namespace lk
