#include "tests/support.h"

#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>

namespace lk::test {

TempDir::TempDir() {
  static std::atomic<int> count{0};
  path_ = std::filesystem::path("build/tmp") /
          (std::to_string(getpid()) + "-" + std::to_string(count.fetch_add(1)));
  std::filesystem::create_directories(path_);
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace lk::test
