#!/bin/sh
# Runs the runtime's tests with the Node that it ships. Packages are installed once, outside of the checkout.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
cache=${DARTER_CACHE:-$HOME/.cache/darter}
node=${DARTER_NODE:-$cache/node/bin/node}
[ -x "$node" ] || node=$(command -v node)
digest=$(cat "$here/package.json" "$here/package-lock.json" | sha256sum | cut -c1-16)
home=$cache/runtimes/node-$digest
if [ ! -e "$home/complete" ]; then
  echo "installing the runtime's built-in packages into $home"
  rm -rf "$home" && mkdir -p "$home"
  cp "$here/package.json" "$here/package-lock.json" "$home/"
  (cd "$home" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  touch "$home/complete"
fi
shim=$(mktemp -d)
trap 'rm -rf "$shim"' EXIT
"$here/bundle.sh" "$shim" "$home/node_modules/@esbuild/linux-x64/bin/esbuild"
DARTER_SHIM=$shim DARTER_RUNTIME_MODULES=$home/node_modules "$node" --test --test-concurrency=2 --test-timeout=30000 "$@" "$here"/test/*.test.mjs
