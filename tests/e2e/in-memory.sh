#!/bin/bash
# Runs a command whose temporary files are in memory, where there is enough of it (as root): they are gone when it ends.
# usage: in-memory.sh COMMAND...
# The scenarios on machines leave a hundred thousand files. A disk that is told of each file that is removed (the mount
# option "discard") takes minutes for them.
set -euo pipefail
NEEDED_GB=10 # The scenarios write some 3 GB, and their machines need memory too.

available=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
if [ "${available:-0}" -lt "$NEEDED_GB" ]; then
    echo "==> the temporary files are on the disk: $available GB of memory are left, and $NEEDED_GB are needed" >&2
    exec "$@"
fi
folder=$(mktemp -d)
trap 'rmdir "$folder"' EXIT
# shellcheck disable=SC2016 # it is for the inner shell
unshare --mount --propagation private bash -c \
    'mount -t tmpfs -o size=8g,mode=1777 reveille-boot "$0" && TMPDIR=$0 exec "$@"' "$folder" "$@"
