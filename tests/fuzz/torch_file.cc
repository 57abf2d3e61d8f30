// A file of torch.save: an archive, or one in the format before PyTorch 1.6.
#include "engine/files/torch_file.h"

#include "tests/fuzz/support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lk;
  const auto path = fuzz::write("pytorch_model.bin", fuzz::text_of(data, size));
  // Each byte of a pickle can be an opcode that makes a value.
  const fuzz::MemoryLimit limit(128 * size + (64 << 10));
  fuzz::accepts([&] {
    for (const auto& [name, stored] : read_torch_file(path)) {
      const Tensor t = stored.get();
      for (int64_t i = 0; i < t.numel(); ++i) t.item(i);
    }
  });
  return 0;
}
