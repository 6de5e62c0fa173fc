#!/bin/bash
# Compiles the released programs for one processor: crates/release/build.sh x86_64 (or arm64). `make release` calls it.
#
# zig links for the C library of Amazon Linux 2023, whatever this machine has. Paths of this machine are written out of the programs, so that
# two checkouts give the same bytes.
set -euo pipefail

case ${1:-} in
  x86_64) target=x86_64-unknown-linux-gnu ;;
  arm64) target=aarch64-unknown-linux-gnu ;;
  *) echo "$0 x86_64|arm64: the processor to build for" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/../.."
cargo=${CARGO:-cargo}
sysroot=$(rustc --print sysroot)
if [ ! -d "$sysroot/lib/rustlib/$target" ]; then
  echo "Rust's library for $target is missing: rustup target add $target" >&2
  exit 1
fi

"$cargo" fetch --locked --quiet
separator=$'\x1f'
flags="--remap-path-prefix=$PWD=/reveille"
for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
  flags+="${separator}--remap-path-prefix=$registry=/registry"
done
flags+="${separator}--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$(rustc -vV | sed -n 's/^commit-hash: //p')"
# Whoever builds may have flags of their own: they would make other programs.
unset RUSTFLAGS
export CARGO_ENCODED_RUSTFLAGS=$flags

# The newest C library that the programs may ask for. crates/release/src/elf.rs reads the results and refuses a newer one.
build=("$cargo" zigbuild --locked --release --target "$target.2.34")
# The command apart: it needs more of the libraries that they share, and a function must not start more slowly for that.
"${build[@]}" -p reveille-functions -p reveille-runner
"${build[@]}" -p reveille-cli
