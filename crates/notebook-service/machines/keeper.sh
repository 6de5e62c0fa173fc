# Keeps one boot of a machine, and ends it without a trace. Run by bash -c, as root, by the notebook service.
# Arguments: the boot's name, the root, the folder of this boot (with `upper`), the notebook folder, the memory limit in bytes,
# and its network: `host`, or `private` (a namespace of its own, with a loopback device only).
# Standard input is the life line: when it ends (the service closed it, or is gone, kill -9 included), the machine ends.
# Standard output tells one line: `leader PID`, the machine's first process as the host sees it. Standard error is its console.
set -u
name=$1 root=$2 folder=$3 notebooks=$4 memory=$5 network=$6
exec 3<&0 </dev/null
# Whatever reaches this process, it cleans up: whoever reads its line may be gone, for example. Handlers are not inherited.
trap : PIPE HUP INT QUIT TERM

# A control group of its own in every hierarchy that there is, so that machines do not share one, and all of it can be found.
groups=()
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    groups=("/sys/fs/cgroup/$name")
else
    for hierarchy in systemd unified memory pids; do
        [ -e "/sys/fs/cgroup/$hierarchy/cgroup.procs" ] && groups+=("/sys/fs/cgroup/$hierarchy/$name")
    done
fi

# systemd-nspawn that is killed leaves its machine alive, so everything in the control groups is killed, until nothing is left.
clean() {
    local left try group
    for ((try = 0; try < 500; try++)); do
        left=0
        for group in "${groups[@]}"; do
            [ -d "$group" ] || continue
            # Where the kernel kills a whole group, none is forked away from it.
            [ ! -e "$group/cgroup.kill" ] || echo 1 >"$group/cgroup.kill" 2>/dev/null
            find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -KILL 2>/dev/null
            find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
            [ ! -d "$group" ] || left=1
        done
        [ "$left" = 1 ] || break
        sleep 0.02
    done
    rmdir "/run/systemd/nspawn/propagate/$name" 2>/dev/null
    lock=${lock:-$(cat "$folder/lock" 2>/dev/null)}
    [ -z "$lock" ] || rm -f "/run/systemd/nspawn/locks/$lock"
    rm -rf --one-file-system "$folder"
    exit "$left"
}
lock=''
for group in "${groups[@]}"; do
    mkdir -p "$group" || { echo "the control group $group cannot be made" >&2; clean; }
done
# Whoever builds the root anew waits for the machines that run on it.
if [ -e "$root.lock" ]; then
    exec 4<"$root.lock"
    flock --shared --nonblock 4 || { echo "the root $root is being built; start the instance again when it is done" >&2; clean; }
fi
# Where memory is swapped out, a machine would have more than its limit.
for limit in "/sys/fs/cgroup/memory/$name/memory.swappiness" "/sys/fs/cgroup/$name/memory.swap.max"; do
    [ ! -e "$limit" ] || echo 0 >"$limit"
done
for limit in "/sys/fs/cgroup/memory/$name/memory.limit_in_bytes" "/sys/fs/cgroup/$name/memory.max"; do
    [ ! -e "$limit" ] || echo "$memory" >"$limit"
done

# Everything that is mounted is mounted in a namespace that ends with the machine. The overlay makes the root copy-on-write; its
# options name descriptors, because a path may hold the commas and colons that separate options.
private=''
[ "$network" = host ] || private=--private-network
notebooks=${notebooks//\\/\\\\}
notebooks=${notebooks//:/\\:}
export root folder notebooks name private
boot='exec 7<"$root" 8<"$folder/upper" 9<"$folder/work" && fds=/proc/self/fd &&
    mount -t overlay overlay -o "lowerdir=$fds/7,upperdir=$fds/8,workdir=$fds/9" "$folder/root" &&
    exec 7<&- 8<&- 9<&- &&
    stat --format=inode-%d:%i "$folder/root" >"$folder/lock" &&
    exec systemd-nspawn --quiet --directory="$folder/root" --machine="$name" --register=no --keep-unit --boot $private \
        --console=read-only --setenv=SYSTEMD_COLORS=0 --resolv-conf=copy-host --timezone=off --bind="$notebooks:/home/ec2-user/SageMaker"'
mkdir -p "$folder/work" "$folder/root"
(
    for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
    exec setpriv --pdeathsig KILL unshare --mount --propagation private bash -c "$boot" </dev/null >&2 3<&- 4<&-
) &
machine=$!

# Tells the first process of the machine's process namespace, if it is there.
told='' pause=0.02
tell_leader() {
    local pid
    for pid in $(cat "/proc/$machine/task/$machine/children" 2>/dev/null); do
        if grep -qs $'^NSpid:.*\t1$' "/proc/$pid/status"; then
            told=1 pause=0.1
            echo "leader $pid" 2>/dev/null
            exec 1>&-
            # What systemd-nspawn locks on its root. Whoever made the folder may remove it before the machine ends.
            lock=$(cat "$folder/lock" 2>/dev/null)
            return
        fi
    done
}

# Until the machine ends, or the life line. A read that is not over in time says so by its status; no process that waits for the
# line could: bash forgets one that ends while it does something else.
while [ -d "/proc/$machine" ]; do
    [ -n "$told" ] || tell_leader
    read -r -t "$pause" -u 3 _
    [ "$?" -gt 128 ] || break
done
exec 1>&-
# Bash tells of each job that is killed from here on.
exec 2>/dev/null
kill -KILL "$machine"
wait
clean
