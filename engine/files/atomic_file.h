// Files that are either the old one or the whole new one: written beside, flushed, then renamed.
#pragma once

#include <filesystem>
#include <string_view>

namespace lk {

class AtomicFile {
 public:
  // Opens `.NAME.tmp-PID` in the same folder. Error when that cannot be written.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();  // removes the temporary file unless committed
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* data, size_t bytes);  // Error when the disk is full
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  void commit();  // fsync, rename over the old file, fsync of the folder

 private:
  [[noreturn]] void give_up(const char* what) const;
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
  size_t written_ = 0;
};

// Removes what writers that were killed left half-written in a folder; call it when no other may
// write there.
void remove_unfinished_files(const std::filesystem::path& folder);

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

}  // namespace lk
