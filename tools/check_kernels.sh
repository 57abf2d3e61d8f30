#!/bin/sh
# A kernel file is compiled once per instruction set. A shared (weak) symbol without the set's tag could be
# taken from the wrong copy by the linker and crash an older CPU: there must be none.
# Usage: check_kernels.sh BUILD ISA...
set -eu
build=$1
shift
bad=0
for isa in "$@"; do
  tag=$(echo "$isa" | sed 's/^./\U&/')
  for object in $(find "$build/obj/$isa/engine/kernels" -name '*.o'); do
    stray=$(nm -C "$object" | grep -E ' [WVu] ' | grep -v "$tag" | grep -v 'DW.ref.__gxx_personality' || true)
    [ -z "$stray" ] && continue
    echo "check_kernels: $object: $stray" >&2
    bad=1
  done
done
for kernel in engine/kernels/*.cc; do
  [ -f "${kernel%.cc}.h" ] || { echo "check_kernels: $kernel has no contract ${kernel%.cc}.h" >&2; bad=1; }
done
for op in autograd/ops/*.cc; do
  name=$(basename "$op" .cc)
  [ -f "tests/ops/${name}_test.cc" ] || { echo "check_kernels: $op has no test tests/ops/${name}_test.cc" >&2; bad=1; }
done
for kernel in cuda/*.cu; do
  name=$(basename "$kernel" .cu)
  name=${name%_backward}
  for file in "engine/kernels/$name.h" "tests/cuda/${name}_test.cc"; do
    [ -f "$file" ] || { echo "check_kernels: $kernel has no $file" >&2; bad=1; }
  done
done
exit $bad
