#include "engine/dry_run.h"

namespace lk {
namespace {

thread_local bool g_dry = false;

}  // namespace

DryRun::DryRun() : previous_(g_dry) { g_dry = true; }
DryRun::~DryRun() { g_dry = previous_; }
bool dry_run() { return g_dry; }

}  // namespace lk
