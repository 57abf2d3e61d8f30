#include "engine/files/paged_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/dry_run.h"
#include "engine/error.h"

namespace lk {

size_t page_size() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

void* map_paged_file(const std::filesystem::path& path, size_t bytes) {
  if (dry_run()) {
    void* none =
        mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(none != MAP_FAILED, "{} bytes of addresses could not be had", bytes);
    return none;
  }
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  require(fd >= 0, "{}: cannot be created: {}", path.string(), std::strerror(errno));
  ::unlink(path.c_str());
  const int full = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  void* data = MAP_FAILED;
  if (full == 0) data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int reason = errno;
  ::close(fd);
  require(full == 0,
          "{}: {} bytes for the optimizer's states could not be reserved: {}; free some space, or "
          "choose another --output",
          path.string(), bytes, std::strerror(full));
  require(data != MAP_FAILED, "{}: cannot be mapped into memory: {}", path.string(),
          std::strerror(reason));
  return data;
}

void unmap_paged_file(void* data, size_t bytes) noexcept { munmap(data, bytes); }

void fetch_pages(void* data, size_t bytes) { madvise(data, bytes, MADV_WILLNEED); }

// The pages leave the process; the kernel writes them to the file when it wants the memory.
void put_away_pages(void* data, size_t bytes) { madvise(data, bytes, MADV_DONTNEED); }

}  // namespace lk
