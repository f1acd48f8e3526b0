#!/bin/sh
# Makes the shim what it is when installed: its files in $1/shim, the one file of `bundle` (runtime.toml) in $1/cache.
# Usage: bundle.sh <folder> <esbuild>
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/cache"
cp -r "$here/shim" "$1/shim"
"$2" "$1/shim/main.mjs" --bundle --platform=node --format=cjs --target=node24 --define:import.meta.url=__url \
  --log-level=warning --outfile="$1/cache/shim.js"
