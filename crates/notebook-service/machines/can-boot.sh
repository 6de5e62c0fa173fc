#!/bin/bash
# Says in one sentence why machines cannot be booted here, and what to do, and fails; or says nothing.
# usage: can-boot.sh ROOT   (a root that was built, or the place where it is to be built)
# `make test-boot` asks it, and the notebook service.
skip() { echo "$1"; exit 1; }

[ "$(uname -s)" = Linux ] || skip "machines need Linux"
[ "$(id -u)" = 0 ] || skip "machines are booted by root only; run it with sudo"
for program in systemd-nspawn nsenter unshare setpriv flock timeout; do
    command -v "$program" >/dev/null || skip "$program is missing; install it (Debian: apt install systemd-container util-linux coreutils)"
done
[ -e "$1/etc/reveille-root" ] || command -v debootstrap >/dev/null || skip "debootstrap is missing; install it (Debian: apt install debootstrap)"
[ -e /sys/fs/cgroup/cgroup.controllers ] || [ -e /sys/fs/cgroup/systemd/cgroup.procs ] \
    || skip "there are no control groups below /sys/fs/cgroup; mount them"
# A container that may not mount cannot boot another one.
unshare --mount --propagation private true 2>/dev/null || skip "not even root may make mount namespaces here; run this outside of the container, or let the container do so"
grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || skip "this kernel has no overlay file system; load its module (modprobe overlay)"
