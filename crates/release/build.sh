#!/bin/bash
# Compiles the released programs: crates/release/build.sh x86_64 (or arm64, or both). `make release` calls it, at first with --check, which only
# says what is missing.
#
# zig links for the C library of Amazon Linux 2023, whatever this machine has. Paths of this machine are written out of the programs, so that
# two checkouts give the same bytes.
set -euo pipefail

# The names of the processors in Rust: an instance is x86_64, functions may be arm64 too.
target_of() {
  case $1 in
    x86_64) echo x86_64-unknown-linux-gnu ;;
    arm64) echo aarch64-unknown-linux-gnu ;;
    *) echo "$0: '$1' is no processor to build for. ARCHITECTURES takes x86_64 and arm64" >&2; exit 2 ;;
  esac
}

missing() {
  echo "$1" >&2
  exit 1
}

check=
if [ "${1:-}" = --check ]; then
  check=yes
  shift
fi
if [ $# = 0 ]; then target_of ''; fi
command -v rustc >/dev/null || missing "Rust is missing. Install it from https://rustup.rs, open a new terminal, and try again"
command -v cc >/dev/null || missing "A C linker (cc) is missing. Install it: apt install gcc (Debian, Ubuntu), or dnf install gcc (Amazon Linux, Fedora)"
sysroot=$(rustc --print sysroot)
for architecture in "$@"; do
  target=$(target_of "$architecture")
  if [ ! -d "$sysroot/lib/rustlib/$target" ]; then
    if command -v rustup >/dev/null; then
      missing "To build for $architecture, Rust needs its library for it. Install it: rustup target add $target"
    fi
    missing "To build for $architecture, Rust needs its library for $target. This Rust did not come from rustup: install that library as you installed Rust, or install Rust from https://rustup.rs"
  fi
done
if [ -n "$check" ]; then exit; fi

cd "${0%/*}/../.."
cargo=${CARGO:-cargo}
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

for architecture in "$@"; do
  # The newest C library that the programs may ask for. crates/release/src/elf.rs reads the results and refuses a newer one.
  build=("$cargo" zigbuild --locked --release --target "$(target_of "$architecture").2.34")
  # The command apart: it needs more of the libraries that they share, and a function must not start more slowly for that.
  "${build[@]}" -p reveille-functions -p reveille-runner
  "${build[@]}" -p reveille-cli
done
