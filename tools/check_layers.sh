#!/bin/sh
# Arrows point one way: each folder may include only those named for it. Fails on any other #include.
set -eu
allowed() {
  case $1 in
    engine) echo engine ;;
    autograd) echo "autograd engine" ;;
    nn) echo "nn autograd engine" ;;
    data) echo "data engine" ;;
    quant) echo "quant nn autograd engine" ;;
    peft) echo "peft nn autograd engine" ;;
    cuda) echo "cuda engine" ;;
    *) echo "tools cuda peft quant nn autograd data engine" ;;
  esac
}
bad=0
for folder in engine autograd nn data quant peft cuda tools; do
  [ -d "$folder" ] || continue
  may=" $(allowed $folder) "
  for hit in $(grep -rhoE --include='*.h' --include='*.cc' --include='*.cu' '^#include "[a-z]+/' $folder | sort -u | sed 's/.*"//; s|/||'); do
    case $may in *" $hit "*) ;; *)
      echo "check_layers: $folder may not include $hit:" >&2
      grep -rnE "^#include \"$hit/" $folder >&2
      bad=1
      ;;
    esac
  done
done
exit $bad
