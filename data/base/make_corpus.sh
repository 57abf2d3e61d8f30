#!/bin/sh
# The text that the shipped base was trained on: sh data/base/make_corpus.sh OUT FOLDER...
# Each FOLDER holds plain text (*.txt, *.text). Files under a folder called `valid` go to OUT/valid.txt, all others to
# OUT/train.txt, documents parted by <|endoftext|>. WordNet's glosses (Debian's wordnet-base) are added as sentences.
set -eu
out=$1
shift
mkdir -p "$out"
: >"$out/train.txt"
: >"$out/valid.txt"
add() { # add FILE: appends a document, with runs of blank lines and trailing blanks taken out
  case $1 in */valid/* | */valid.txt) to=$out/valid.txt ;; *) to=$out/train.txt ;; esac
  awk '{ sub(/[ \t\r]+$/, ""); if ($0 == "") { blank = 1; next } if (blank && NR > 1) print ""; blank = 0; print }
       END { print "<|endoftext|>" }' "$1" >>"$to"
}
for folder in "$@"; do
  find "$folder" -type f -name '*.txt' | LC_ALL=C sort | while read -r file; do add "$file"; done
done
for kind in noun verb adj adv; do
  file=/usr/share/wordnet/data.$kind
  [ -r "$file" ] || { echo "make_corpus.sh: $file is missing: apt-get install wordnet-base" >&2; exit 1; }
  # "00005930 03 n 01 dwarf 0 ... | a plant or animal that is atypically small" -> "dwarf: a plant or animal ..."
  awk -v kind="$kind" '/^[0-9]/ { split($0, half, " \\| "); split(half[1], f, " "); w = f[5]; gsub(/_/, " ", w); sub(/\([a-z]+\)$/, "", w);
       g = half[2]; sub(/[ \t]+$/, "", g); gsub(/; "/, ". \"", g); print w " (" kind "): " g "."; if (++n % 40 == 0) print "<|endoftext|>" }
       END { print "<|endoftext|>" }' "$file" >>"$out/train.txt"
done
wc -c "$out/train.txt" "$out/valid.txt"
