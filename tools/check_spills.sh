#!/bin/sh
# What ptxas said of the kernels (the .ptxas files that `make cuda-objects` leaves): lists those that spill
# registers to memory. A handful of bytes comes and goes with the compiler's version; more than 32 is an error.
# Usage: check_spills.sh FOLDER
set -eu
find "$1" -name '*.ptxas' -exec cat {} + | awk '
  /Compiling entry function/ {
    split($0, part, "\047"); kernel = part[2]; arch = part[4]
    sub(/_ZN2lk[0-9]+_GLOBAL__N__[0-9a-f]+_[0-9]+_/, "", kernel)
    sub(/_cu_[0-9a-f]+_[0-9]+/, ".cu: ", kernel)
  }
  /bytes spill stores/ && $5 > 0 {
    printf "check_spills: %s spills %d bytes on %s\n", kernel, $5, arch > "/dev/stderr"
    if ($5 > 32) bad = 1
  }
  END { exit bad }'
