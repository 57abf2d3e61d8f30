// A case of the reference: an adapter folder from elsewhere on its base, with the reference's
// numbers.
#pragma once

#include <map>

#include "peft/adapter_files.h"
#include "tests/oracle.h"

namespace lk::test {

struct AdapterCase {
  std::filesystem::path folder;
  std::shared_ptr<const SafetensorsFile> vectors;
  OracleBatch batch;
  LoadedModel loaded;
  AdapterConfig config;
  std::unique_ptr<Method> method;
};

// folder: adapter and vectors.safetensors. The base gets a classifier where the labels are classes.
AdapterCase open_adapter_case(const std::filesystem::path& folder,
                              const std::filesystem::path& base);
// The largest |logits - out.logits| over the places that are no padding; infinity where a shape
// differs.
double logits_error(AdapterCase& c);
// |mean loss - out.loss|
double loss_error(AdapterCase& c);
// Gradients of the mean loss, named and laid out as the adapter file does with values. Trains what
// the method trains; the values are lost.
std::map<std::string, Tensor> file_gradients(AdapterCase& c);
// The adapter written again: "" when keys, shapes and bits are the same as in the folder's own
// file, else what differs.
std::string rewritten_difference(AdapterCase& c);

}  // namespace lk::test
