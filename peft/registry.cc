// The methods, one line each.
#include "engine/error.h"
#include "peft/adalora.h"
#include "peft/adamix.h"
#include "peft/bitfit.h"
#include "peft/boft.h"
#include "peft/c3a.h"
#include "peft/compacter.h"
#include "peft/fourierft.h"
#include "peft/full.h"
#include "peft/head.h"
#include "peft/houlsby.h"
#include "peft/hra.h"
#include "peft/hub_method.h"
#include "peft/ia3.h"
#include "peft/last_layers.h"
#include "peft/ln_tuning.h"
#include "peft/loha.h"
#include "peft/lokr.h"
#include "peft/lora.h"
#include "peft/mam.h"
#include "peft/method.h"
#include "peft/miss.h"
#include "peft/nearest.h"
#include "peft/oft.h"
#include "peft/parallel.h"
#include "peft/pfeiffer.h"
#include "peft/prefix.h"
#include "peft/prompt.h"
#include "peft/ptuning.h"
#include "peft/ptuning_v2.h"
#include "peft/qlora.h"
#include "peft/randlora.h"
#include "peft/road.h"
#include "peft/shira.h"
#include "peft/trainable_tokens.h"
#include "peft/unipelt.h"
#include "peft/vblora.h"
#include "peft/vera.h"

namespace lk {

const std::vector<MethodInfo>& methods() {
  // clang-format off
  static const std::vector<MethodInfo> table{
      full_info(),
      head_info(),
      last_layers_info(),
      bitfit_info(),
      ln_tuning_info(),
      lora_info(),
      qlora_info(),
      adalora_info(),
      ia3_info(),
      vera_info(),
      loha_info(),
      lokr_info(),
      oft_info(),
      boft_info(),
      fourierft_info(),
      hra_info(),
      vblora_info(),
      randlora_info(),
      c3a_info(),
      shira_info(),
      road_info(),
      miss_info(),
      trainable_tokens_info(),
      prefix_info(),
      prompt_info(),
      ptuning_info(),
      ptuning_v2_info(),
      houlsby_info(),
      pfeiffer_info(),
      parallel_info(),
      compacter_info(),
      mam_info(),
      unipelt_info(),
      adamix_info(),
      adapterhub_info(),
  };
  // clang-format on
  return table;
}

const MethodInfo& find_method(const std::string& name) {
  std::vector<std::string> known;
  for (const MethodInfo& m : methods()) {
    if (m.name == name || (!m.peft_type.empty() && m.peft_type == name)) return m;
    known.push_back(m.name);
  }
  fail("the method '{}' is not known (nearest first: {})", name, nearest(name, known, 0));
}

}  // namespace lk
