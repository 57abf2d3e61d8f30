// An adapter folder that HF PEFT wrote, held to its reference vectors. Knows no method.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lk::test {

struct OracleTolerance {
  double logits = 2e-4, loss = 1e-5;
  double gradient = 2e-3;                      // of a tensor's largest magnitude
  double merged = 1e-5, merged_logits = 2e-5;  // of the merged weights; of their logits
};

struct Check {
  std::string what;
  double error, tolerance;
  bool passed() const { return error <= tolerance; }  // false for NaN
};

struct OracleOutcome {
  std::vector<Check> checks;
  // Reference gradients of parameters that the adapter file does not hold, so that loading it
  // cannot bring them back (the encoder behind saved prompt embeddings).
  size_t not_in_file = 0;
  bool passed() const;
  std::string line() const;  // "logits 3e-7/2e-4, loss ..."
};

// Why the case cannot be run yet: a method that the registry lacks, an architecture or task that is
// not there. Empty when it can.
std::string unsupported(const std::filesystem::path& adapter, const std::filesystem::path& base);

// Loads the adapter onto its base: logits, loss, the gradient of every trained parameter; saving it
// again gives the same tensors to the bit; merged weights, where the folder has them, and unmerging
// gives the base back to the bit.
OracleOutcome check_adapter(const std::filesystem::path& adapter, const std::filesystem::path& base,
                            const OracleTolerance& tolerance = {});

}  // namespace lk::test
