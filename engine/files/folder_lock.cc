#include "engine/files/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "engine/error.h"
#include "engine/files/atomic_file.h"

namespace lk {

FolderLock::FolderLock(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(std::filesystem::is_directory(folder), "{}: the output folder cannot be made: {}",
          folder.string(), error.message());
  const std::filesystem::path file = folder / ".lock";
  fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  require(fd_ >= 0, "{}: cannot be written: {}", file.string(), std::strerror(errno));
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    char owner[32] = {};
    const ssize_t n = ::pread(fd_, owner, sizeof owner - 1, 0);
    ::close(fd_);
    fail(
        "{}: another run (process {}) is writing to this folder; wait for it or choose another "
        "--output",
        folder.string(), n > 0 ? owner : "?");
  }
  const std::string pid = std::to_string(getpid());
  if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, pid.data(), pid.size(), 0) < 0) {
    // The number is only for the other run's message; the lock itself holds.
  }
  remove_unfinished_files(folder);
  remove_unfinished_files(folder / "adapter");
}

FolderLock::~FolderLock() { ::close(fd_); }

}  // namespace lk
