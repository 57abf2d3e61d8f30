#include "cuda/measure.h"

namespace lk {

Figures measure(const KernelCase& kernel_case) {
  CaseMemory memory;
  const emu::Profiler profiler;
  kernel_case.run(Cuda{}, memory);
  check_cuda(cudaDeviceSynchronize(), kernel_case.op.c_str());
  Figures f{};
  f.kernels = profiler.profiles();
  f.launches = profiler.launches();
  emu::Traffic all;
  for (const emu::Profile& p : f.kernels) {
    for (const emu::Traffic* t : {&p.read, &p.write}) {
      all.requests += t->requests;
      all.lanes += t->lanes;
      all.sectors += t->sectors;
      all.ideal_sectors += t->ideal_sectors;
      all.missed += t->missed;
    }
    f.read_bytes += p.read.bytes();
    f.written_bytes += p.write.bytes();
    f.bank_conflicts += p.bank_conflicts();
  }
  f.sector_efficiency = static_cast<double>(all.ideal_sectors) / static_cast<double>(all.sectors);
  f.traffic = static_cast<double>(all.bytes()) / static_cast<double>(kernel_case.least_bytes);
  f.active_lanes = static_cast<double>(all.lanes) / (32.0 * static_cast<double>(all.requests));
  return f;
}

}  // namespace lk
