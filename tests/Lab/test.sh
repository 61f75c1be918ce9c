#!/bin/bash
# Checks of lab itself, in the virtual KVM host: test.sh [NAME…] runs all, or those named.
# shellcheck disable=SC2015,SC2016,SC2094 # the scripts in quotes are for the shell inside
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit
export STRATO_LAB=virtual
lab=$here/lab
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0 skipped=0 why=

# Each check is a function that fails with a reason in $why.
is() { [ "$2" = "$3" ] || { why="$1: got '$2', expected '$3'"; return 1; }; }

# One boot for all that needs no boot of its own.
check_one_boot() {
    head -c 10000000 /dev/urandom >"$tmp/in"
    STRATO_LAB_OUT=$tmp/out STRATO_SOMETHING='a b=c' CI=yes $lab -- sh -c '
        echo to stderr >&2
        cat >"$STRATO_LAB_OUT/in.copy"
        cat "$STRATO_LAB_OUT/in.copy"
        {
            echo "something=$STRATO_SOMETHING ci=$CI lab=$STRATO_LAB pwd=$PWD"
            [ -c /dev/kvm ] && [ -c /dev/vhost-net ] && [ -c /dev/vhost-vsock ] && [ -c /dev/net/tun ] && [ -c /dev/vfio/vfio ] && echo devices
            perl -e '\''open my $f, "+<", "/dev/kvm"; my $v = ioctl $f, 0xAE00, 0; my $vm = ioctl $f, 0xAE01, 0; print $v == 12 && $vm > 0 ? "kvm\n" : "kvm: $! $v $vm\n"'\''
            for fs in ext4 xfs; do
                dd if=/dev/zero of=/scratch/$fs/direct bs=4096 count=4 oflag=direct status=none && echo "$fs direct"
            done
            cp --reflink=always /scratch/xfs/direct /scratch/xfs/copy && echo reflink
            echo 4 >/proc/sys/vm/nr_hugepages && cat /proc/sys/vm/nr_hugepages
            findmnt -n -o FSTYPE /dev/hugepages; findmnt -n -o FSTYPE /sys/fs/cgroup; findmnt -n -o FSTYPE /tmp; findmnt -n -o FSTYPE /dev/shm
            cat /sys/class/net/lo/operstate; hostname; nproc; ulimit -n
            cat /proc/sys/vm/overcommit_memory /sys/devices/system/clocksource/clocksource0/current_clocksource
            modprobe dummy && echo modprobe
        } >"$STRATO_LAB_OUT/facts" 2>&1
        exit 7' <"$tmp/in" >"$tmp/stdout" 2>"$tmp/stderr"
    is "exit code" $? 7 || return
    cmp -s "$tmp/in" "$tmp/stdout" || { why="10 MB of output differ"; return 1; }
    cmp -s "$tmp/in" "$tmp/out/in.copy" || { why="the output folder's file differs"; return 1; }
    is stderr "$(cat "$tmp/stderr")" 'to stderr' || return
    diff - "$tmp/out/facts" >"$tmp/diff" <<END || { why="facts differ: $(cat "$tmp/diff")"; return 1; }
something=a b=c ci=yes lab=direct pwd=$PWD
devices
kvm
ext4 direct
xfs direct
reflink
4
hugetlbfs
cgroup2
tmpfs
tmpfs
unknown
strato-lab
1
1048576
1
tsc
modprobe
END
}

check_mode() {
    is "mode when virtual" "$($lab --mode)" virtual || return
    is "mode when direct" "$(STRATO_LAB=direct $lab --mode)" direct
}

check_exit_0() { $lab true </dev/null; is "exit code" $? 0; }

check_signal_and_streaming() {
    # The first line must come while the command still runs.
    $lab sh -c 'echo first; sleep 5; kill -9 $$' </dev/null | while read -r _; do date +%s; done >"$tmp/first"
    is "exit code" "${PIPESTATUS[0]}" 137 || return
    [ $(($(date +%s) - $(cat "$tmp/first"))) -ge 4 ] || { why="the output came only at the end"; return 1; }
}

check_not_found() { $lab no-such-command 2>"$tmp/stderr" </dev/null; is "exit code" $? 127; }

check_timeout() {
    local start=$SECONDS
    $lab --timeout 25 -- sleep 1000 2>"$tmp/stderr" </dev/null
    is "exit code" $? 124 || return
    is message "$(cat "$tmp/stderr")" 'lab: time limit of 25 s reached' || return
    [ $((SECONDS - start)) -le 32 ] || { why="it took $((SECONDS - start)) s"; return 1; }
}

# wait_for FILE TEXT: until the file has the text
wait_for() { for _ in $(seq 600); do grep -q "$2" "$1" 2>/dev/null && return; sleep 0.1; done; why="'$2' never came: $(cat "$1")"; return 1; }

ended_by() {
    local signal=$1 code=$2 pid qemu
    # A shell's background children ignore INT, so perl starts it with the defaults.
    perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$lab" sh -c 'echo up; sleep 1000' >"$tmp/stdout" </dev/null 2>"$tmp/stderr" &
    pid=$!
    wait_for "$tmp/stdout" up || return
    qemu=$(pgrep -P $pid)
    kill "-$signal" $pid
    wait $pid
    is "exit code after $signal" $? "$code" || return
    for _ in $(seq 30); do kill -0 "$qemu" 2>/dev/null || return 0; sleep 0.1; done
    why="qemu $qemu is still there"
    return 1
}
check_int() { ended_by INT 130; }
check_term() { ended_by TERM 143; }
check_kill() { ended_by KILL 137; }

check_two_at_once() {
    $lab sh -c 'echo one; sleep 3; exit 3' >"$tmp/one" </dev/null & local one=$!
    $lab sh -c 'echo two; sleep 3; exit 4' >"$tmp/two" </dev/null & local two=$!
    wait $one; is "first exit code" $? 3 || return
    wait $two; is "second exit code" $? 4 || return
    is output "$(cat "$tmp/one" "$tmp/two" | tr '\n' ' ')" 'one two '
}

check_vms_come_and_go() {
    # KVM changes its kernel's code with the first VM and the last: with two CPUs this stood still within seconds.
    $lab --timeout 120 -- perl -e '
        my @children;
        sub child { my $pid = fork // die; if ($pid) { push @children, $pid } else { shift->(); exit } }
        for (1, 2) {
            pipe my $r, my $w; pipe my $s, my $x; my $c;
            child(sub { syswrite $x, $c while sysread $r, $c, 1 });
            child(sub { syswrite $w, "x"; syswrite $w, $c while sysread $s, $c, 1 });
        }
        open my $kvm, "+<", "/dev/kvm" or die;
        for (1 .. 500) {
            open my $vm, "+<&=", int(ioctl $kvm, 0xAE01, 0) or die;
            open my $vcpu, "+<&=", int(ioctl $vm, 0xAE41, 0) or die;
        }
        kill "KILL", @children' >"$tmp/stdout" 2>"$tmp/stderr" </dev/null
    is "exit code" $? 0
}

check_panic() {
    STRATO_LAB_OUT=$tmp/panic $lab sh -c 'echo c >/proc/sysrq-trigger' >"$tmp/stdout" 2>"$tmp/stderr" </dev/null
    is "exit code" $? 125 || return
    grep -q 'Kernel panic' "$tmp/stderr" && [ -s "$tmp/panic/console.log" ] || { why="no console in: $(cat "$tmp/stderr")"; return 1; }
}

check_bad_input() {
    $lab --timeout soon true 2>"$tmp/stderr"; is "exit code" $? 125 || return
    is message "$(cat "$tmp/stderr")" "lab: --timeout 'soon': it must be a number of seconds, 1 to 9999999" || return
    $lab --nested true 2>"$tmp/stderr"; is "exit code" $? 125 || return
    $lab 2>"$tmp/stderr"; is "exit code" $? 125 || return
    STRATO_LAB=here $lab true 2>"$tmp/stderr"; is "exit code" $? 125 || return
    STRATO_LAB=here $lab --mode 2>"$tmp/stderr"; is "exit code" $? 125
}

check_terminal() {
    command -v script >/dev/null || { why="no command 'script'"; return 2; }
    # Window size; a byte that only a raw terminal lets through (Ctrl-]); and Ctrl-C reaches the command inside.
    : >"$tmp/stdout"
    {
        wait_for "$tmp/stdout" 33.77 && printf '\035'
        wait_for "$tmp/stdout" ready && printf '\003'
        wait_for "$tmp/stdout" interrupted
    } | TERM=xterm script -qefc "stty rows 33 cols 77; $lab bash -c 'tty; stty -echo -icanon; stty size; head -c 1 | od -An -tx1; stty sane; trap \"echo interrupted; exit 5\" INT; echo ready; while :; do sleep 1; done'" /dev/null >"$tmp/stdout"
    is "exit code" $? 5 || return
    is output "$(tr -d '\r' <"$tmp/stdout" | tr '\n' ' ')" '/dev/pts/0 33 77  1d ready ^Cinterrupted '
}

check_iommu() {
    $lab --iommu -- sh -c 'ls /sys/kernel/iommu_groups | wc -l; for c in /sys/bus/pci/devices/*/class; do cat $c; done' >"$tmp/stdout" </dev/null || { why="exit code $?"; return 1; }
    [ "$(head -1 "$tmp/stdout")" -ge 3 ] && grep -q 0x020000 "$tmp/stdout" && grep -q 0x010802 "$tmp/stdout" ||
        { why="groups and classes: $(tr '\n' ' ' <"$tmp/stdout")"; return 1; }
}

check_nested_guest() {
    [ -e out/guest/vmlinuz ] || { why="no out/guest (./build.sh guest)"; return 2; }
    $lab --timeout 180 -- timeout 150 qemu-system-x86_64 -M microvm -accel kvm -cpu host -m 512 -nodefaults -display none -serial stdio \
        -kernel out/guest/vmlinuz -initrd out/guest/initrd.img \
        -append 'console=ttyS0 quiet panic=-1 root=/dev/vda strato.run="uname -r; exit 3" strato.then=poweroff' \
        -drive if=none,id=root,format=raw,snapshot=on,file=out/guest/rootfs.ext4 -device virtio-blk-device,drive=root </dev/null >"$tmp/stdout" 2>&1
    is "exit code" $? 0 || { tail "$tmp/stdout"; return 1; }
    grep -q 'strato-guest: exit 3' "$tmp/stdout" || { why="output: $(cat "$tmp/stdout")"; return 1; }
    grep -a 'strato-guest: init' "$tmp/stdout"
}

check_dotnet() {
    command -v dotnet >/dev/null || { why="no dotnet"; return 2; }
    $lab --timeout 180 -- dotnet --version >"$tmp/stdout" </dev/null || { why="exit code $?"; return 1; }
    is version "$(cat "$tmp/stdout")" "$(dotnet --version)"
}

if [ $# -gt 0 ]; then checks=("$@"); else mapfile -t checks < <(compgen -A function check_ | sed 's/^check_//'); fi
for name in "${checks[@]}"; do
    declare -F "check_$name" >/dev/null || { echo "no check '$name' (there are: $(compgen -A function check_ | sed 's/^check_//' | tr '\n' ' '))"; exit 2; }
    why='' start=$SECONDS
    "check_$name"
    case $? in
        0) passed=$((passed + 1)); echo "ok   $name ($((SECONDS - start)) s)" ;;
        2) skipped=$((skipped + 1)); echo "skip $name: $why" ;;
        *) failed=$((failed + 1)); echo "FAIL $name: $why" ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
