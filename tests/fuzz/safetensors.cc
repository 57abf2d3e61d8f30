// A weight file: the whole of it, or (see safetensors_of) a header and the data behind it.
#include "engine/files/weight_files.h"
#include "tests/fuzz/support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lk;
  const std::string bytes = fuzz::safetensors_of(fuzz::text_of(data, size));
  const auto path = fuzz::write("model.safetensors", bytes);
  const fuzz::MemoryLimit limit(64 * bytes.size() + (64 << 10));
  fuzz::accepts([&] {
    const WeightFiles files = WeightFiles::open(path);
    for (const std::string& name : files.names()) {
      const Tensor t = files.get(name);
      for (int64_t i = 0; i < t.numel(); ++i) t.item(i);
    }
  });
  return 0;
}
