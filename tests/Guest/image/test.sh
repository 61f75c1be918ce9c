#!/bin/bash
# Checks of the test guest itself, under QEMU's software CPU (no KVM needed): test.sh [NAME…] runs all, or those named.
# On QEMU's q35, since its microvm has no timer to calibrate by that survives a busy machine without KVM; lab's own tests
# boot the guest there.
# shellcheck disable=SC2016 # words in quotes are for the guest's shell
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../.." || exit
guest=out/guest
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0 skipped=0 why=

is() { [ "$2" = "$3" ] || { why="$1: got '$2', expected '$3'"; return 1; }; }
has() { tr -d '\r' <"$tmp/console" | grep -qE -- "$1" || { why="no '$1' in: $(tail -n 30 "$tmp/console")"; return 1; }; }

# boot KERNEL-FOLDER COMMAND-LINE QEMU-OPTION…: until it ends; the console in $tmp/console
boot() {
    local folder=$1 line=$2
    shift 2
    timeout 120 qemu-system-x86_64 -M q35 -accel tcg -cpu max -m 256 -nodefaults -display none -serial stdio \
        -kernel "$folder/vmlinuz" -initrd "$folder/initrd.img" -append "console=ttyS0 quiet panic=-1 $line" \
        -drive "if=none,id=root,format=raw,file=$tmp/root" -device virtio-blk-pci,drive=root "$@" >"$tmp/console" 2>&1
}
fresh_root() { cp --sparse=always "$guest/rootfs.ext4" "$tmp/root"; }
clean_root() { e2fsck -fn "$tmp/root" >"$tmp/fsck" 2>&1 || { why="the file system is not clean: $(cat "$tmp/fsck")"; return 1; }; }

boots() {
    fresh_root
    boot "$1" 'root=/dev/vda strato.run="uname -r; echo a >/root/file; exit 7" strato.then=poweroff' </dev/null
    is 'exit code of qemu' $? 0 && has '^strato-guest: init [0-9]+ ms$' && has '^strato-guest: run$' &&
        has "^6\..*$2" && has '^strato-guest: exit 7$' && has '^strato-guest: poweroff ' && clean_root
}
check_cloud_kernel() { boots $guest cloud-amd64; }
check_generic_kernel() { boots $guest/generic '[0-9]-amd64'; }

check_file_written() {
    fresh_root
    boot $guest 'root=/dev/vda strato.run="dd if=/dev/urandom of=/root/big bs=1M count=200 2>&1; sha256sum /root/big" strato.then=poweroff' </dev/null
    is 'exit code of qemu' $? 0 && clean_root || return
    debugfs -R "dump /root/big $tmp/big" "$tmp/root" 2>/dev/null
    has "^$(sha256sum <"$tmp/big" | cut -c 1-64)  /root/big"
}

check_base64_and_reboot() {
    fresh_root
    # The second boot finds the first one's mark.
    boot $guest "root=/dev/vda strato.run=base64:$(printf 'if [ -e /root/seen ]; then\n echo "second boot"; poweroff\nelse\n echo "first boot"; : >/root/seen; reboot\nfi\nsleep 100\n' | base64 -w0)" </dev/null
    is 'exit code of qemu' $? 0 && has '^first boot' && has '^second boot' && clean_root
}

check_initrd_alone() {
    fresh_root
    boot $guest 'strato.run="ls -1d /usr/bin/awk /sys/class/net/lo; cat /proc/mounts" strato.then=poweroff' </dev/null
    is 'exit code of qemu' $? 0 && has '/usr/bin/awk' && has '^strato-guest: exit 0$' && has '^none / rootfs|^rootfs / rootfs'
}

check_panic_halt_no_root() {
    fresh_root
    boot $guest 'strato.then=panic' -no-reboot </dev/null
    is 'exit code of qemu' $? 0 && has 'Kernel panic' || return
    boot $guest 'root=/dev/vdz strato.then=poweroff' </dev/null
    is 'exit code of qemu' $? 0 && has 'root device /dev/vdz did not appear within 5 s \(there are: vda\); staying in the initrd'
}

# type_in TEXT-TO-WAIT-FOR INPUT …: what a person does at the console
type_in() {
    while [ $# -gt 0 ]; do
        for _ in $(seq 600); do grep -qaF -- "$1" "$tmp/console" && break; sleep 0.1; done
        printf '%s' "$2"
        shift 2
    done
}

check_power_button() {
    fresh_root
    : >"$tmp/console"
    rm -f "$tmp/monitor"
    boot $guest root=/dev/vda -chardev "socket,id=m,path=$tmp/monitor,server=on,wait=off" -mon m </dev/null &
    type_in 'strato login:' ''
    sleep 1
    perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new($ARGV[0]); print $s "system_powerdown\n"; $s->flush; sleep 1' "$tmp/monitor"
    wait $!
    is 'exit code of qemu' $? 0 && has '^strato-guest: poweroff ' && clean_root
}

check_login() {
    fresh_root
    : >"$tmp/console"
    type_in 'strato login:' $'root\r' 'root@strato:' $'echo $((6*7)); exit\r' $'\n42' '' | { cat; type_again; } | boot $guest root=/dev/vda
    is 'exit code of qemu' $? 0 && has '^42$' && is 'log-in prompts' "$(grep -ac 'strato login:' "$tmp/console")" 2
}
# After the log-out the prompt comes again; then the machine is to end.
type_again() {
    for _ in $(seq 300); do [ "$(grep -ac 'strato login:' "$tmp/console")" -lt 2 ] || break; sleep 0.1; done
    printf 'root\r'
    for _ in $(seq 300); do [ "$(grep -ac 'root@strato:' "$tmp/console")" -lt 3 ] || break; sleep 0.1; done
    printf 'poweroff\r'
    sleep 2
}

check_autologin_and_quiet() {
    fresh_root
    : >"$tmp/console"
    type_in 'root@strato:' $'tty; echo done $((1+1))\r' 'done 2' $'poweroff\r' | boot $guest 'root=/dev/vda strato.autologin'
    is 'exit code of qemu' $? 0 && has '^/dev/ttyS0$' && has '^done 2$' && clean_root || return
    boot $guest 'root=/dev/vda strato.quiet strato.run="sleep 8; ps" strato.then=poweroff' </dev/null
    ! has 'getty' || { why="a getty runs"; return 1; }
}

check_same_bytes() {
    local before after
    before=$(sha256sum $guest/{vmlinuz,vmlinux,initrd.img,rootfs.ext4,generic/initrd.img})
    rm $guest/rootfs.ext4.key
    "$here/build" 2>/dev/null || { why="the build failed"; return 1; }
    after=$(sha256sum $guest/{vmlinuz,vmlinux,initrd.img,rootfs.ext4,generic/initrd.img})
    is 'a second build' "$after" "$before"
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
