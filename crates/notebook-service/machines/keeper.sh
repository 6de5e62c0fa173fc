# Keeps one boot of a machine, and ends it without a trace. Run by bash -c, as root, by the notebook service.
# Arguments: the boot's name, the root, the folder of this boot (with `upper`), the notebook folder, the memory limit in bytes,
# the file of the console, and its network: `host`, or `private` (a namespace of its own, with a loopback device only).
# Standard input is the life line: when it ends (the service closed it, or is gone, kill -9 included), the machine ends.
# Standard output tells one line: `leader PID`, the machine's first process as the host sees it.
set -u
name=$1 root=$2 folder=$3 notebooks=$4 memory=$5 console=$6 network=$7
exec 3<&0 </dev/null

# A control group of its own in every hierarchy that there is, so that machines do not share one, and all of it can be found.
groups=()
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    groups=("/sys/fs/cgroup/$name")
else
    for hierarchy in systemd unified memory pids; do
        [ -e "/sys/fs/cgroup/$hierarchy/cgroup.procs" ] && groups+=("/sys/fs/cgroup/$hierarchy/$name")
    done
fi
for group in "${groups[@]}"; do
    mkdir -p "$group" || { echo "the control group $group cannot be made" >&2; exit 1; }
done
# Where memory is swapped out, a machine would have more than its limit.
for limit in "/sys/fs/cgroup/memory/$name/memory.swappiness" "/sys/fs/cgroup/$name/memory.swap.max"; do
    [ ! -e "$limit" ] || echo 0 >"$limit"
done
for limit in "/sys/fs/cgroup/memory/$name/memory.limit_in_bytes" "/sys/fs/cgroup/$name/memory.max"; do
    [ ! -e "$limit" ] || echo "$memory" >"$limit"
done

# Everything that is mounted is mounted in a namespace that ends with the machine. The overlay makes the root copy-on-write.
private=''
[ "$network" = host ] || private=--private-network
export root folder notebooks name private
boot='mount -t overlay overlay -o "lowerdir=$root,upperdir=$folder/upper,workdir=$folder/work" "$folder/root" &&
    stat --format=inode-%d:%i "$folder/root" >"$folder/lock" &&
    exec systemd-nspawn --quiet --directory="$folder/root" --machine="$name" --register=no --keep-unit --boot $private \
        --console=read-only --setenv=SYSTEMD_COLORS=0 --resolv-conf=copy-host --timezone=off --bind="$notebooks:/home/ec2-user/SageMaker"'
mkdir -p "$folder/work" "$folder/root"
(
    for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
    exec setpriv --pdeathsig KILL unshare --mount --propagation private bash -c "$boot" </dev/null >>"$console" 2>&1 3<&-
) &
machine=$!
cat <&3 >/dev/null &
line=$!

tell_leader() {
    local pid
    while [ -d "/proc/$machine" ]; do
        for pid in $(cat "/proc/$machine/task/$machine/children" 2>/dev/null); do
            # The first process of a process namespace.
            if grep -qs $'^NSpid:.*\t1$' "/proc/$pid/status"; then
                echo "leader $pid"
                return
            fi
        done
        sleep 0.02
    done
}
tell_leader
exec 1>&-

wait -n "$machine" "$line"
# Bash tells of each job that is killed from here on.
exec 2>/dev/null
kill -KILL "$machine" "$line" 2>/dev/null
wait 2>/dev/null

# systemd-nspawn that is killed leaves its machine alive, so everything in the control groups is killed, until nothing is left.
for ((try = 0; try < 500; try++)); do
    left=0
    for group in "${groups[@]}"; do
        [ -d "$group" ] || continue
        find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -KILL 2>/dev/null
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
        [ ! -d "$group" ] || left=1
    done
    [ "$left" = 1 ] || break
    sleep 0.02
done
rmdir "/run/systemd/nspawn/propagate/$name" 2>/dev/null
# The same one's lock on its root.
[ ! -s "$folder/lock" ] || rm -f "/run/systemd/nspawn/locks/$(<"$folder/lock")"
rm -rf --one-file-system "$folder"
exit "$left"
