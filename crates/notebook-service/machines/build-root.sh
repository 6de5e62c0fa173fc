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
PACKAGES=systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,openssl,procps,iproute2
# The AWS CLI, the kernel of the environment "python3" and the Jupyter server, each with all that it needs; versions and hashes
# are the project's.
AWS_CLI="awscli botocore colorama docutils jmespath pyasn1 python-dateutil pyyaml rsa s3transfer six urllib3"
KERNEL="ipykernel asttokens comm debugpy decorator executing ipython ipython-pygments-lexers jedi jupyter-client jupyter-core
matplotlib-inline nest-asyncio2 packaging parso pexpect platformdirs prompt-toolkit psutil ptyprocess pure-eval pygments
python-dateutil pyzmq six stack-data tornado traitlets typing-extensions wcwidth"
JUPYTER="$KERNEL jupyter-server anyio argon2-cffi argon2-cffi-bindings attrs beautifulsoup4 bleach cffi defusedxml fastjsonschema idna
jinja2 jsonschema jsonschema-specifications jupyter-events jupyter-server-terminals jupyterlab-pygments markupsafe mistune
nbclient nbconvert nbformat overrides pandocfilters prometheus-client pycparser python-json-logger pyyaml referencing
rfc3339-validator rfc3986-validator rpds-py send2trash soupsieve terminado tinycss2 webencodings websocket-client"
CONDA=/home/ec2-user/anaconda3
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

# One builder at a time; the second one finds the root there. The keepers of machines share the lock, as this does for a look.
exec 9>"$FOLDER.lock"
flock --shared 9
# The blocks of requirements.txt for some packages, with their hashes, without the markers' other platforms.
pins() {
    awk -v wanted=" $(tr -s '[:space:]' ' ' <<<"$1") " '
        /^[A-Za-z0-9]/ { split($1, name, "=="); keep = index(wanted, " " tolower(name[1]) " ") }
        /^[A-Za-z0-9]/ || /^    --hash/ { if (keep) print }' "$REQUIREMENTS"
}
recipe=$({ cat "${BASH_SOURCE[0]}"; pins "$AWS_CLI $JUPYTER"; } | sha256sum | cut -d ' ' -f 1)
if grep -qsx "recipe $recipe" "$FOLDER/etc/reveille-root"; then
    exit 0
fi
command -v debootstrap >/dev/null || fail "debootstrap is missing; install it (Debian: apt install debootstrap)"
if ! flock --nonblock 9; then
    echo "==> waiting: $FOLDER is old, but it is being built, or machines run on it"
    flock 9
    # Another builder may have been faster.
    ! grep -qsx "recipe $recipe" "$FOLDER/etc/reveille-root" || exit 0
fi
free=$(df --output=avail -m "$(dirname "$FOLDER")" | tail -n 1 | tr -d " ")
[ "$free" -ge "$SPACE_MB" ] || fail "$(dirname "$FOLDER") has $free MB left, and a root needs $SPACE_MB MB while it is built; make room there, or name another folder with ROOTS"
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

environment() { # in the folder $1, of the packages $2
    pins "$2" >"$partial/root/pins.txt"
    inside python3 -m venv "$1"
    inside "$1/bin/pip" install --quiet --require-hashes --no-deps --only-binary :all: -r /root/pins.txt \
        || fail "the packages of $1 could not be installed; check that PyPI is reached"
}
environment /opt/aws-cli "$AWS_CLI"
# Where an instance has it: in the PATH of its lifecycle scripts.
ln -s /opt/aws-cli/bin/aws "$partial/usr/bin/aws"

# As SageMaker lays them: conda's environments, with what activates them, and the server in one of its own.
environment "$CONDA/envs/python3" "$KERNEL"
environment "$CONDA/envs/JupyterSystemEnv" "$JUPYTER"
python3_env=$partial$CONDA/envs/python3
mkdir -p "$python3_env/conda-meta" "$python3_env/etc/conda/activate.d"
: >"$python3_env/conda-meta/history"
echo '{"version": 1, "env_vars": {"FROM_CONDA_STATE": "set"}}' >"$python3_env/conda-meta/state"
echo 'export FROM_ACTIVATE_D=activated' >"$python3_env/etc/conda/activate.d/of-the-root.sh"
inside chown -R ec2-user:ec2-user "$CONDA"
rm "$partial/root/pins.txt" "$partial/etc/resolv.conf"

# Not enabled here: machines that share the host's network would share the port.
mkdir "$partial/etc/jupyter"
inside openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost -keyout /etc/jupyter/key.pem \
    -out /etc/jupyter/certificate.pem 2>/dev/null
inside chown ec2-user /etc/jupyter/key.pem
cat >"$partial/etc/systemd/system/jupyter-server.service" <<UNIT
[Unit]
Description=The instance's Jupyter server
[Service]
User=ec2-user
WorkingDirectory=/home/ec2-user/SageMaker
ExecStart=$CONDA/envs/JupyterSystemEnv/bin/python -m jupyter_server --no-browser --ServerApp.ip=127.0.0.1 \
    --ServerApp.port=8443 --ServerApp.port_retries=0 --ServerApp.root_dir=/home/ec2-user/SageMaker \
    --ServerApp.certfile=/etc/jupyter/certificate.pem --ServerApp.keyfile=/etc/jupyter/key.pem \
    --IdentityProvider.token= --ServerApp.password= --ServerApp.disable_check_xsrf=True
Restart=always
UNIT

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
