#include "engine/files/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/error.h"

namespace lk {

void AtomicFile::give_up(const char* what) const {
  const int reason = errno;
  fail("{}: {} after {} bytes: {}{}; the file that was there before is unchanged", path_.string(),
       what, written_, std::strerror(reason),
       reason == ENOSPC || reason == EDQUOT || reason == EFBIG
           ? " (free some space, or choose another folder)"
           : "");
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  temporary_ =
      path_.parent_path() / ("." + path_.filename().string() + ".tmp-" + std::to_string(getpid()));
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) give_up("cannot be written");
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(fd_, at, std::min<size_t>(bytes, 1u << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) give_up("writing failed");
    at += n;
    bytes -= static_cast<size_t>(n);
    written_ += static_cast<size_t>(n);
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) give_up("flushing failed");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) give_up("renaming failed");
  ::close(fd_);
  fd_ = -1;
  const std::filesystem::path folder =
      path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  if (const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); dir >= 0) {
    ::fsync(dir);
    ::close(dir);
  }
}

void remove_unfinished_files(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const size_t mark = name.rfind(".tmp-");
    const bool temporary = name[0] == '.' && mark != std::string::npos && mark + 5 < name.size() &&
                           name.find_first_not_of("0123456789", mark + 5) == std::string::npos;
    if (temporary && entry.is_regular_file(error)) std::filesystem::remove(entry.path(), error);
  }
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace lk
