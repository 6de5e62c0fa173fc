#!/bin/bash
# Reveille: on-start script of a SageMaker notebook instance. Fetches the runner, checks it, starts it so
# that it outlives this script, and waits until it is ready.
#
# It always exits 0: a person's instance must come up. What went wrong is on stdout (CloudWatch:
# /aws/sagemaker/NotebookInstances, <name>/LifecycleConfigOnStart) and in /var/log/reveille-on-start.log.
# It takes at most 220 s, of SageMaker's 300 s.
# --- preamble ---
set -u
umask 022

ROOT="${REVEILLE_ROOT:-}"             # absent on a real instance: the folder that stands for /
PATH="${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
export PATH
RUN_AS=ec2-user
UNIT=reveille-runner
FETCH_TRIES=3                         # of all fetches together
FETCH_SECONDS=45                      # each; the runner is some 10 MB away in the same region
READY_SECONDS=30
END_SECONDS=60                        # for the outputs when the instance is stopped: limits::RUNNER_END
LOG="$ROOT/var/log/reveille-on-start.log"
RUNNER_LOG="$ROOT/var/log/reveille-runner.log"
PID_FILE="$ROOT/run/reveille-runner.pid"
READY_FILE="$ROOT/run/reveille/ready"
# A stack that is deployed again without a change writes nothing into its bucket.
PUT_BACK="Put the release's back, as docs/errors/RunnerSilent.md says (a deployment without a change does not)"

# What the runner gets, if it is set here: a unit of systemd inherits nothing. A name that ends in * is every
# variable that begins so. See docs/instance.md.
PASSED=(
    REVEILLE_PYTHON REVEILLE_JUPYTER_URL REVEILLE_JUPYTER_TOKEN JUPYTER_PATH
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
    http_proxy https_proxy all_proxy no_proxy
    AWS_CA_BUNDLE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR
    'PIP_*'
    'AWS_ENDPOINT_URL*' AWS_IGNORE_CONFIGURED_ENDPOINT_URLS
    AWS_USE_FIPS_ENDPOINT AWS_USE_DUALSTACK_ENDPOINT
)

say() {
    printf 'reveille: %s\n' "$*"
    printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>"$LOG" 2>/dev/null
}

# What happened, what to do.
give_up() {
    say "THE RUNNER IS NOT STARTED: $1. $2. The instance itself comes up as usual."
    exit 0
}

boot_id() { cat "$ROOT/proc/sys/kernel/random/boot_id" 2>/dev/null || echo unknown; }

has_systemd() { [ -d "$ROOT/run/systemd/system" ] && command -v systemd-run >/dev/null; }

can_switch_user() { [ "$(id -u)" = 0 ] && id -u "$RUN_AS" >/dev/null 2>&1 && command -v runuser >/dev/null; }

running() {
    if has_systemd; then
        systemctl is-active --quiet "$UNIT.service"
        return
    fi
    local pid boot
    { read -r pid boot <"$PID_FILE"; } 2>/dev/null || return 1
    # The number may be another process by now.
    [ "$boot" = "$(boot_id)" ] && grep -qzF "REVEILLE_READY_FILE=$READY_FILE" "/proc/$pid/environ" 2>/dev/null
}

region() {
    sed -n 's/.*"ResourceArn" *: *"arn:[^:"]*:sagemaker:\([a-z0-9-]*\):.*/\1/p' \
        "$ROOT/opt/ml/metadata/resource-metadata.json" 2>/dev/null | head -n 1
}

right_checksum() { printf '%s  %s\n' "$REVEILLE_RUNNER_SHA256" "$1" | sha256sum --check --status 2>/dev/null; }

TRY=1
fetch() { # the object $1 to the file $2
    local direct="${no_proxy-${NO_PROXY-}}" from="s3://$REVEILLE_BUCKET/$1"
    direct="${direct:+$direct,}169.254.169.254,localhost,127.0.0.1"
    # The role's credentials are behind no proxy. In us-east-1 version 1 of aws asks s3.amazonaws.com unless told: a
    # proxy may know the region's name only.
    until NO_PROXY="$direct" no_proxy="$direct" AWS_S3_US_EAST_1_REGIONAL_ENDPOINT=regional timeout "$FETCH_SECONDS" aws s3 cp --only-show-errors \
        --cli-connect-timeout 10 --cli-read-timeout 30 "$from" "$2" </dev/null; do
        say "fetching $from failed (try $TRY of $FETCH_TRIES)"
        if [ "$TRY" = "$FETCH_TRIES" ]; then
            rm -f "$2"
            give_up "$from cannot be fetched" \
                "Look at what aws said above. Check that it exists, that the instance's role may read it, that the instance reaches S3 (behind a proxy: HTTPS_PROXY, and AWS_CA_BUNDLE if the proxy opens TLS), and that its clock is right"
        fi
        sleep "$((TRY++ * 2))"
    done
}

# Where the preamble names no runner, the stack does: a line as sha256sum prints it.
follow() { # by way of the file $1
    local object="${REVEILLE_PREFIX:-}runner.sha256" form='^([0-9a-f]{64})  (reveille-runner[A-Za-z0-9._-]*)$'
    fetch "$object" "$1"
    [[ "$(head -c 999 "$1")" =~ $form ]] || give_up "s3://$REVEILLE_BUCKET/$object names no runner" "$PUT_BACK"
    REVEILLE_RUNNER_SHA256="${BASH_REMATCH[1]}" REVEILLE_RUNNER_KEY="artifacts/${BASH_REMATCH[2]}"
}

# Adds what is set of PASSED to SETTINGS, and exports it, for aws above: a preamble may have set it without. Values are
# data: one argument each, and in no log. One that systemd would refuse (with the whole unit) is left out.
collect_passed() {
    local pattern name names=() passed=''
    for pattern in "${PASSED[@]}"; do
        case "$pattern" in
            *'*') mapfile -t -O "${#names[@]}" names < <(compgen -v -- "${pattern%'*'}") ;;
            *) names+=("$pattern") ;;
        esac
    done
    for name in "${names[@]}"; do
        [ -n "${!name+set}" ] || continue
        if ! printable "${!name}"; then
            say "$name is not passed on to the runner: its value is not UTF-8, or has a control character. Correct it in the preamble"
            unset "$name"
            continue
        fi
        export "${name?}"
        SETTINGS+=("$name=${!name}")
        passed+=" $name"
    done
    [ -z "$passed" ] || say "passed on to the runner:$passed"
}

# What systemd takes: UTF-8, and no control character but tab and line feed.
printable() {
    command -v iconv >/dev/null || return 0
    [[ "$1" != *[$'\x01'-$'\x08'$'\x0b'-$'\x1f'$'\x7f']* ]] && printf '%s' "$1" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1
}

install_runner() { # as $1
    local folder download
    folder="$(dirname "$1")"
    right_checksum "$1" && return 0
    mkdir -p "$folder" || give_up "$folder cannot be made" "Look at the disk and its permissions"
    download="$folder/.download.$$"
    fetch "$REVEILLE_RUNNER_KEY" "$download"
    if ! right_checksum "$download"; then
        rm -f "$download"
        give_up "s3://$REVEILLE_BUCKET/$REVEILLE_RUNNER_KEY is not the runner that was deployed (wrong SHA-256)" \
            "$PUT_BACK. Find out who wrote that object"
    fi
    if ! { chmod 0755 "$download" && mv -f "$download" "$1"; }; then
        give_up "$1 cannot be written" "Look at the disk and its permissions"
    fi
}

# --uid rather than runuser: systemd sets HOME and the groups itself, and the runner is the unit's main process,
# which Restart= needs. A kernel that is killed for memory must not take the runner along: OOMPolicy. At a stop
# only the runner is told (KillMode), and the network ends after it (After).
start_with_systemd() {
    systemd-run --quiet --unit="$UNIT" --collect --uid="$RUN_AS" --gid="$RUN_AS" \
        --description="Reveille runner" \
        -p Restart=on-failure -p RestartSec=5 -p OOMPolicy=continue \
        -p KillMode=mixed -p "TimeoutStopSec=$END_SECONDS" -p After=network.target -p After=nss-lookup.target \
        -p "StandardOutput=append:$RUNNER_LOG" -p "StandardError=append:$RUNNER_LOG" \
        "${SETTINGS[@]/#/--setenv=}" "$1" </dev/null
}

# A session of its own, and none of our file descriptors: whoever reads our output must see its end.
start_detached() { # the command and its arguments
    REVEILLE_READY_FILE="$READY_FILE" setsid nohup "$@" \
        </dev/null >>"$RUNNER_LOG" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    RUNNER_PID=$!
    printf '%s %s\n' "$RUNNER_PID" "$(boot_id)" >"$PID_FILE"
}

start_runner() {
    if has_systemd; then
        start_with_systemd "$1" || return 1
    elif can_switch_user; then
        # runuser -u keeps root's HOME and the like.
        start_detached runuser -u "$RUN_AS" -- env HOME="$ROOT/home/$RUN_AS" USER="$RUN_AS" LOGNAME="$RUN_AS" \
            "${SETTINGS[@]}" "$1"
    else
        start_detached env "${SETTINGS[@]}" "$1"
    fi
}

# A detached runner is our child here, perhaps without its environment yet.
still_there() { if has_systemd; then running; else kill -0 "$RUNNER_PID" 2>/dev/null; fi; }

# The log itself does not survive a stop.
show_log() { tail -n 10 "$RUNNER_LOG" 2>/dev/null | cut -c 1-500 | while IFS= read -r line; do say "  $line"; done; }

wait_until_ready() {
    local deadline=$((SECONDS + READY_SECONDS))
    while [ ! -e "$READY_FILE" ]; do
        if ! still_there; then
            say "the runner ended before it was ready. The end of $RUNNER_LOG:"
            show_log
            return
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            say "the runner was not ready within $READY_SECONDS s; it goes on. The end of $RUNNER_LOG:"
            show_log
            return
        fi
        sleep 0.2
    done
    say "the runner is ready"
}

main() {
    mkdir -p "$ROOT/var/log" "$ROOT/run/reveille" "$ROOT/opt/reveille" 2>/dev/null
    [ -n "${REVEILLE_BUCKET:-}" ] ||
        give_up "this script lacks its preamble of settings" "Deploy it with Reveille's own template or command"
    if running; then
        say "the runner of this boot runs already"
        exit 0
    fi
    local aws_region runner
    aws_region="${AWS_REGION:-${AWS_DEFAULT_REGION:-$(region)}}"
    [ -n "$aws_region" ] || give_up "the region is unknown" \
        "Check that $ROOT/opt/ml/metadata/resource-metadata.json holds the instance's ResourceArn"
    export AWS_REGION="$aws_region" AWS_DEFAULT_REGION="$aws_region"
    SETTINGS=(
        "REVEILLE_BUCKET=$REVEILLE_BUCKET"
        "REVEILLE_PREFIX=${REVEILLE_PREFIX:-}"
        "AWS_REGION=$aws_region"
        "AWS_DEFAULT_REGION=$aws_region" # what boto3 in a notebook reads
        "REVEILLE_READY_FILE=$READY_FILE"
    )
    collect_passed
    [ -n "${REVEILLE_RUNNER_SHA256:-}" ] || follow "$ROOT/opt/reveille/current"
    runner="$ROOT/opt/reveille/$REVEILLE_RUNNER_SHA256/reveille-runner"
    install_runner "$runner"
    can_switch_user && chown "$RUN_AS" "$ROOT/run/reveille"
    rm -f "$READY_FILE"
    start_runner "$runner" || give_up "systemd-run refused the unit $UNIT" "Look at 'systemctl status $UNIT' and 'journalctl -u $UNIT'"
    wait_until_ready
}

main
exit 0
