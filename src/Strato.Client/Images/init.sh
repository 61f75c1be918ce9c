#!/bin/busybox sh
# The first process of a guest that New-StratoGuestImage made. It mounts the root disk, and then does one of three things:
#  - the root has an init and its image names no command: that init takes over;
#  - else it runs the command that the image names, or a shell, on the console, and powers off with it;
#  - strato.invoke on the kernel's command line: it runs what the host sends by the console port strato.control, and gives back what
#    that writes by strato.stdout and strato.stderr. Invoke-StratoVm is at the other end.
/bin/busybox mkdir -p /proc /sys /dev /root /run
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev

say() { echo "strato-guest: $*" >/dev/console; }
off() { sync; poweroff -f; while :; do sleep 60; done; }
die() { say "$*"; off; }

root=/dev/vda mode=rw init= invoke=
for word in $(cat /proc/cmdline); do
    case $word in
        root=*) root=${word#root=} ;;
        ro | rw) mode=$word ;;
        init=*) init=${word#init=} ;;
        strato.invoke) invoke=1 ;;
    esac
done

if [ -e /modules/list ]; then
    while read -r module; do
        insmod "/modules/$module.ko" || say "module $module could not be loaded"
    done </modules/list
fi

tries=0
until [ -b "$root" ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || die "there is no disk $root"
    usleep 100000
done
mount -t ext4 -o "$mode" "$root" /root || die "the disk $root can't be mounted"

# What the image says: entry, a script that runs its command; empty for none.
entry=
[ -s /strato/entry ] && entry=/strato/entry
if [ -z "$invoke" ] && [ -z "$entry" ]; then
    : "${init:=/sbin/init}"
    if [ -e "/root$init" ] || [ -L "/root$init" ]; then
        umount /proc /sys
        mount --move /dev /root/dev || umount /dev
        exec switch_root /root "$init"
    fi
fi

for folder in dev proc sys tmp etc; do [ -d "/root/$folder" ] || mkdir -p "/root/$folder"; done
mount --move /dev /root/dev
mount --move /proc /root/proc
mount --move /sys /root/sys
# Both trees see them.
for folder in dev proc sys; do mount --bind "/root/$folder" "/$folder"; done
mkdir -p /dev/pts /dev/shm /dev/.strato
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
chmod 755 /dev/.strato
cp /bin/busybox /dev/.strato/busybox
hostname strato
[ -e /root/etc/hosts ] || echo '127.0.0.1 localhost' >/root/etc/hosts
acpid -d -c /etc/acpi >/dev/null 2>&1 &

ip link set lo up
for link in /sys/class/net/*; do
    link=${link##*/}
    [ "$link" != lo ] || continue
    ip link set "$link" up
    udhcpc -i "$link" -n -q -t 10 -T 1 -s /etc/udhcpc >/dev/null 2>&1 || say "$link has no address"
done

# run SCRIPT: in the image's root, with nothing of this environment.
run() { chroot /root /dev/.strato/busybox env -i TERM=linux /dev/.strato/busybox sh "$1"; }

if [ -z "$invoke" ]; then
    cp "${entry:-/etc/shell}" /dev/.strato/start
    run /dev/.strato/start </dev/console >/dev/console 2>&1
    say "exit $?"
    off
fi

# port NAME: the device of the console port of that name.
port() {
    for port in /sys/class/virtio-ports/*; do
        if [ "$(cat "$port/name" 2>/dev/null)" = "$1" ]; then
            echo "/dev/${port##*/}"
            return
        fi
    done
    die "there is no console port $1"
}
control=$(port strato.control)
stdout=$(port strato.stdout)
stderr=$(port strato.stderr)
exec 3<>"$control" || die "$control can't be opened"

# As long as the host isn't there a read ends at once. A host that has died never comes.
tries=0
until read -r mark request <&3 && [ -n "$request" ]; do
    tries=$((tries + 1))
    [ $tries -lt 1200 ] || die "nobody says what to run"
    usleep 50000
done
printf %s "$request" | base64 -d >/dev/.strato/start

# When the host goes away, so does the guest.
(
    while read -r line <&3; do :; done
    poweroff -f
) &

# A port can be opened once, and programs open /dev/stdout once more: they get pipes.
mkfifo -m 666 /dev/.strato/stdout /dev/.strato/stderr
cat /dev/.strato/stdout >"$stdout" &
cat /dev/.strato/stderr >"$stderr" &
exec 4<>/dev/.strato/stdout 5<>/dev/.strato/stderr
run /dev/.strato/start </dev/null >/dev/.strato/stdout 2>/dev/.strato/stderr 3>&- 4>&- 5>&-
code=$?
sync
# Behind what the command has written, whoever still holds the pipes.
printf '\n%s' "$mark" >&4
printf '\n%s' "$mark" >&5
echo "exit $code" >&3
# The host ends the guest when it has all.
sleep 60
off
