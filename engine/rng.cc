#include "engine/rng.h"

namespace lk {

DropoutState& dropout_state() {
  thread_local DropoutState state;
  return state;
}

}  // namespace lk
