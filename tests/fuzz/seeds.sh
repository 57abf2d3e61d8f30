#!/bin/sh
# sh tests/fuzz/seeds.sh FOLDER: what the targets start from, one folder for each, made of the files
# of other tests and of the small ones in tests/fuzz/seeds.
set -eu
out=$1
mkdir -p "$out/safetensors" "$out/adapter" "$out/chat_template" "$out/torch_file"
cp -r tests/fuzz/seeds/. "$out"

cp tests/engine/files/torch/*.bin "$out/torch_file"

n=0
for file in data/base/config.json $(find tests/vectors -name config.json); do
  n=$((n + 1))
  cp "$file" "$out/config/$n"
done

# A header and its data, without the length (see safetensors_of), and one file as it is.
for file in $(find tests/vectors -name '*.safetensors' -size -6k); do
  n=$((n + 1))
  tail -c +9 "$file" > "$out/safetensors/$n"
done
cp "$file" "$out/safetensors/whole"

for config in tests/vectors/peft/*/adapter_config.json tests/vectors/adapterhub/*/adapter_config.json; do
  folder=$(dirname "$config")
  tensors=$(find "$folder" -name 'adapter*.safetensors')
  base=${folder##*-}
  { printf %.1s "$base"; cat "$config"; tail -c +9 "$tensors"; } > "$out/adapter/$(basename "$folder")"
done

cp tests/data/jinja/vectors/templates/* "$out/chat_template"
sed -n 's/^"template": "\(.*\)",$/\1/p' tests/data/jinja/vectors/cases.json | grep -v '\\u' |
  while read -r template; do
    n=$((n + 1))
    printf %b "$template" > "$out/chat_template/$n"
  done
