// P-Tuning v2: Prompt Tuning Can Be Comparable to Fine-tuning Universally Across Scales and Tasks
// (Liu et al. 2022, arXiv:2110.07602): deep prompts for understanding tasks.
//   layer l:  attention(Q, [P_k^l; K], [P_v^l; V])     P^l = dropout(E[:, l]),  E [P, L 2 kv_dim]
// That is prefix tuning learnt directly, started small (std 0.02, as the authors' code has it) and
// with dropout on keys and values, under a new linear head on the first token in place of a
// verbaliser. Files are those of prefix tuning (HF PEFT: PREFIX_TUNING).
#include "peft/ptuning_v2.h"

#include "peft/prefix.h"

namespace lk {

MethodInfo ptuning_v2_info() {
  return {"ptuning-v2",
          "PREFIX_TUNING",
          "prefix tuning started small, with dropout on keys and values",
          "Liu et al. 2022, arXiv:2110.07602",
          5e-3,
          prefix_options("0.02", "0.1"),
          make_prefix};
}

}  // namespace lk
