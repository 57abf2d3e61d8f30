// Memory whose home is a file: pages move to disk by themselves when memory is short, and come back
// when they are touched. What engine/paged.h is made of on the CPU.
#pragma once

#include <cstddef>
#include <filesystem>

namespace lk {

size_t page_size();

// Zeros, `bytes` > 0 of them. Every byte is reserved on the disk here, so that a full disk is an
// Error now and never a SIGBUS later. A file of that name, left by a run that was killed, is
// replaced. The name is gone from the folder at once: whatever ends the process gives the space
// back. In a dry run: addresses only.
void* map_paged_file(const std::filesystem::path& path, size_t bytes);
void unmap_paged_file(void* data, size_t bytes) noexcept;

// Advice on whole pages: they will be used soon; they will not be.
void fetch_pages(void* data, size_t bytes);
void put_away_pages(void* data, size_t bytes);

}  // namespace lk
