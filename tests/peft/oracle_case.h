// An adapter folder that HF PEFT wrote, held to its reference vectors. Knows no method.
#pragma once

#include "tests/oracle.h"

namespace lk::test {

// Loads the adapter onto its base: logits, loss, the gradient of every trained parameter; saving it
// again gives the same tensors to the bit; merged weights, where the folder has them, and unmerging
// gives the base back to the bit.
std::vector<Comparison> check_adapter(const OracleCase& c);

}  // namespace lk::test
