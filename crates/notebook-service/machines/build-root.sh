#!/bin/bash
# Builds the root of booted instances: Debian from its own packages, and what a notebook instance has besides.
# usage: build-root.sh SUITE FOLDER REQUIREMENTS   (as root; REQUIREMENTS: the project's requirements.txt)
#
# FOLDER appears whole or not at all. What went into it stands in FOLDER/etc/reveille-root: this recipe's SHA-256, and each
# package with its version. Debian keeps no old versions on its mirrors: REVEILLE_DEBIAN_MIRROR may name a snapshot.
set -euo pipefail

SUITE=$1
FOLDER=$2
REQUIREMENTS=$3
MIRROR=${REVEILLE_DEBIAN_MIRROR:-http://deb.debian.org/debian}
PACKAGES=systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,procps,iproute2
# The AWS CLI and all that it needs, and the kernel of the environment "python3"; versions and hashes are the project's.
AWS_CLI="awscli botocore colorama docutils jmespath pyasn1 python-dateutil pyyaml rsa s3transfer six urllib3"
SPACE_MB=2000

fail() { echo "build-root: $1" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "a root is built by root only; run it with sudo"
case $SUITE in bookworm | trixie) ;; *) fail "there is no recipe for '$SUITE'; there are bookworm and trixie" ;; esac
# What debootstrap mounts in the root goes with this process, however it ends.
if [ -z "${REVEILLE_ROOT_UNSHARED:-}" ]; then
    export REVEILLE_ROOT_UNSHARED=1
    exec unshare --mount --propagation private "${BASH_SOURCE[0]}" "$@"
fi
mkdir -p "$(dirname "$FOLDER")"

# One builder at a time; the second one finds the root there.
exec 9>"$FOLDER.lock"
flock 9
# The blocks of requirements.txt for some packages, with their hashes, without the markers' other platforms.
pins() {
    awk -v wanted=" $1 " '
        /^[A-Za-z0-9]/ { split($1, name, "=="); keep = index(wanted, " " tolower(name[1]) " ") }
        /^[A-Za-z0-9]/ || /^    --hash/ { if (keep) print }' "$REQUIREMENTS"
}
recipe=$({ cat "${BASH_SOURCE[0]}"; pins "$AWS_CLI"; } | sha256sum | cut -d ' ' -f 1)
if grep -qsx "recipe $recipe" "$FOLDER/etc/reveille-root"; then
    exit 0
fi
command -v debootstrap >/dev/null || fail "debootstrap is missing; install it (Debian: apt install debootstrap)"
free=$(df --output=avail -m "$(dirname "$FOLDER")" | tail -n 1)
[ "$free" -ge "$SPACE_MB" ] || fail "$(dirname "$FOLDER") has $free MB left, and a root needs $SPACE_MB while it is built"
partial=$FOLDER.partial
cleanup() { rm -rf --one-file-system "$partial"; }
trap cleanup EXIT
cleanup

echo "==> building the root $FOLDER from Debian $SUITE (once; a minute or some)"
if ! debootstrap --variant=minbase --include="$PACKAGES" "$SUITE" "$partial" "$MIRROR" >"$FOLDER.log" 2>&1; then
    tail -n 5 "$FOLDER.log" >&2
    fail "debootstrap failed; see $FOLDER.log, and check that $MIRROR is reached"
fi

# pip inside asks the names that the host asks, and trusts whom the host trusts.
cp -L /etc/resolv.conf "$partial/etc/resolv.conf"
[ ! -s /etc/ssl/certs/ca-certificates.crt ] || cp -L /etc/ssl/certs/ca-certificates.crt "$partial/etc/ssl/certs/"

inside() { chroot "$partial" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_NO_CACHE_DIR=1 "$@"; }

inside useradd --create-home --uid 1000 --shell /bin/bash ec2-user
mkdir -p "$partial/home/ec2-user/SageMaker"
inside chown -R ec2-user:ec2-user /home/ec2-user

pins "$AWS_CLI" >"$partial/root/aws-cli.txt"
inside python3 -m venv /opt/aws-cli
inside /opt/aws-cli/bin/pip install --quiet --require-hashes --no-deps -r /root/aws-cli.txt \
    || fail "the AWS CLI could not be installed; check that PyPI is reached"
ln -s /opt/aws-cli/bin/aws "$partial/usr/local/bin/aws"
rm "$partial/root/aws-cli.txt" "$partial/etc/resolv.conf"

rm -rf "$partial"/var/cache/apt/*.bin "$partial"/var/cache/apt/archives/*.deb "$partial"/var/lib/apt/lists/*
# Each boot is a first boot of its own; nothing of the builder's identity goes along.
: >"$partial/etc/machine-id"
{
    echo "suite $SUITE"
    echo "recipe $recipe"
    # shellcheck disable=SC2016 # dpkg's own placeholders
    inside dpkg-query -W -f '${Package} ${Version}\n'
} >"$partial/etc/reveille-root"
rm -rf --one-file-system "$FOLDER"
mv "$partial" "$FOLDER"
rm -f "$FOLDER.log"
echo "==> the root $FOLDER has $(du -sm "$FOLDER" | cut -f 1) MB"
