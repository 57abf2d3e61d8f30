#include "engine/files/paged_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/dry_run.h"

namespace lk {
namespace {

size_t page_size() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

}  // namespace

std::shared_ptr<PagedFile> PagedFile::create(const std::filesystem::path& path, size_t bytes) {
  if (dry_run()) {  // addresses only
    const size_t size = std::max(bytes, page_size());
    void* none = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(none != MAP_FAILED, "{} bytes of addresses could not be had", size);
    return std::shared_ptr<PagedFile>(new PagedFile(static_cast<char*>(none), size));
  }
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  require(fd >= 0, "{}: cannot be created: {}", path.string(), std::strerror(errno));
  ::unlink(path.c_str());
  const size_t size = bytes == 0 ? page_size() : bytes;
  const int full = posix_fallocate(fd, 0, static_cast<off_t>(size));
  void* data = MAP_FAILED;
  if (full == 0) data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int reason = errno;
  ::close(fd);
  require(full == 0,
          "{}: {} bytes for the optimizer's states could not be reserved: {}; free some space, or "
          "choose another --output",
          path.string(), size, std::strerror(full));
  require(data != MAP_FAILED, "{}: cannot be mapped into memory: {}", path.string(),
          std::strerror(reason));
  return std::shared_ptr<PagedFile>(new PagedFile(static_cast<char*>(data), size));
}

PagedFile::~PagedFile() { munmap(data_, bytes_); }

size_t PagedFile::bytes_for(const Shape& shape, DType dtype) {
  const auto bytes = static_cast<size_t>(shape.numel() * size_of(dtype));
  return (bytes + page_size() - 1) / page_size() * page_size();
}

Tensor PagedFile::take(const Shape& shape, DType dtype) {
  const size_t bytes = bytes_for(shape, dtype);
  invariant(taken_ + bytes <= bytes_, "a paged file of {} bytes has no place for {} more", bytes_,
            bytes);
  Tensor t = Tensor::mapped(shape, dtype, data_ + taken_, shared_from_this());
  taken_ += bytes;
  return t;
}

void PagedFile::fetch(const Tensor& t) {
  madvise(t.raw(), bytes_for(t.shape(), t.dtype()), MADV_WILLNEED);
}

// The pages leave the process; the kernel writes them to the file when it wants the memory.
void PagedFile::put_away(const Tensor& t) {
  madvise(t.raw(), bytes_for(t.shape(), t.dtype()), MADV_DONTNEED);
}

}  // namespace lk
