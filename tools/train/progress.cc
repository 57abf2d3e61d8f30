#include "tools/train/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "engine/memory.h"

namespace lk {

using Clock = std::chrono::steady_clock;

Progress::Progress(int64_t first_step, int64_t total_steps, int64_t logging_steps)
    : first_step_(first_step),
      total_(total_steps),
      every_(std::max<int64_t>(1, logging_steps)),
      terminal_(isatty(2) != 0),
      start_(Clock::now()) {}

double Progress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void Progress::show(int64_t step, double loss, double grad_norm, double lr, int64_t tokens) {
  const bool last = step == total_;
  const auto now = Clock::now();
  if (terminal_ ? !last && now - last_ < std::chrono::milliseconds(200)
                : !last && step % every_ != 0)
    return;
  last_ = now;
  const double elapsed = seconds();
  const double left = elapsed / static_cast<double>(std::max<int64_t>(1, step - first_step_)) *
                      static_cast<double>(total_ - step);
  const std::string text = fmt::format(
      "step {}/{}  loss {:.4f}  grad {:.2f}  lr {:.2e}  {:.0f} tokens/s  left {}  peak {}", step,
      total_, loss, grad_norm, lr, static_cast<double>(tokens) / std::max(elapsed, 1e-9),
      human_time(left), human_bytes(peak_rss_bytes()));
  if (!terminal_) {
    fmt::print(stderr, "{}\n", text);
    return;
  }
  constexpr int64_t kWidth = 24;
  const int64_t filled = total_ > 0 ? step * kWidth / total_ : kWidth;
  std::string bar;
  for (int64_t i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
  fmt::print(stderr, "\r\033[K{} {}", bar, text);
  std::fflush(stderr);
  open_ = true;
}

void Progress::finish() {
  if (open_) fmt::print(stderr, "\n");
  open_ = false;
}

std::string human_time(double seconds) {
  const auto s = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
}

std::string human_bytes(int64_t bytes) {
  const auto b = static_cast<double>(bytes);
  if (b < 1e3) return fmt::format("{} bytes", bytes);
  if (b < 1e6) return fmt::format("{:.1f} kB", b / 1e3);
  if (b < 1e9) return fmt::format("{:.1f} MB", b / 1e6);
  return fmt::format("{:.2f} GB", b / 1e9);
}

}  // namespace lk
