// Which adapter each document of a pass takes, and the hooks that send documents apart: each group
// goes through its own adapters, and comes back in its place.
#pragma once

#include "peft/plugged_in.h"

namespace lk {

// Shared by all hooks of a model; set before each pass.
struct Routes {
  std::vector<int32_t> taken;  // [B]: index of the adapter, -1: none
};

// Hooks for `model` that take documents apart among what each adapter plugs in; embeddings are
// left out, as they do not know their documents.
PluggedIn routed(Model& model, const std::vector<PluggedIn>& adapters,
                 const std::shared_ptr<const Routes>& routes);

}  // namespace lk
