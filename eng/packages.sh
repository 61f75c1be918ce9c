# Shell helpers for everything that needs Debian packages. Source it; bash only.
# shellcheck shell=bash

repo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

_apt_updated=
# Package lists age, and fresh containers have none: one update per run, only when something is to be had.
apt_update_once() {
    [ -z "$_apt_updated" ] || return 0
    [ "$(id -u)" = 0 ] || return 0
    DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null || say "apt-get update failed; going on with the package lists at hand"
    _apt_updated=1
}

# _provided PKG: whether what the Debian package is wanted for is there, whoever brought it.
_provided() {
    local command header=
    case $1 in
        busybox-static) # static: no loader is named at its start
            [ -x /bin/busybox ] && ! head -c 4096 /bin/busybox | grep -q ld-linux; return ;;
        dnsmasq-base) command=dnsmasq ;;
        e2fsprogs) command=mke2fs ;;
        kmod) command=modprobe ;;
        libc6-dev) command=gcc header=stdlib.h ;;
        libelf-dev) command=gcc header=gelf.h ;;
        nftables) command=nft ;;
        perl-base) command=perl ;;
        qemu-system-common | virtiofsd) # in no folder of PATH
            command -v virtiofsd /usr/libexec/virtiofsd /usr/lib/virtiofsd /usr/lib/qemu/virtiofsd >/dev/null; return ;;
        qemu-system-x86) command=qemu-system-x86_64 ;;
        util-linux) command=setpriv ;;
        xfsprogs) command=mkfs.xfs ;;
        xz-utils) command=xz ;;
        zlib1g-dev) command=gcc header=zlib.h ;;
        *) command=$1 ;; # bc, bison, cpio, flex, gcc, lz4, make, mmdebstrap, zstd
    esac
    command -v "$command" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null || return
    [ -z "$header" ] || gcc -E -include "$header" - </dev/null >/dev/null 2>&1
}

# need_virtiofsd: its package is its own, or up to Debian 12 QEMU's.
need_virtiofsd() {
    _provided virtiofsd || apt_update_once
    if apt-cache policy virtiofsd 2>/dev/null | grep -q 'Candidate: [0-9]'; then need_packages virtiofsd; else need_packages qemu-system-common; fi
}

# need_packages PKG…: what they are wanted for is there when this returns.
need_packages() {
    local missing=() pkg
    for pkg; do
        _provided "$pkg" || missing+=("$pkg")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        die "missing: what Debian has in the packages ${missing[*]} (this machine has no apt-get: install them by its own means)"
    fi
    if [ "$(id -u)" != 0 ]; then
        die "missing packages: ${missing[*]} (as root: apt-get install ${missing[*]})"
    fi
    say "installing ${missing[*]}"
    apt_update_once
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get could not install: ${missing[*]}"
}

# unpacked_kernel FLAVOUR prints the folder of an unpacked stock Debian kernel (boot/ and lib/modules/, as in its
# package, and the modules' indexes). FLAVOUR is amd64 or cloud-amd64. Nothing is installed on the machine. The version found first is kept
# until out/kernels is removed, so that builds repeat and work without a network.
unpacked_kernel() {
    local flavour=$1 store=$repo_root/out/kernels package dir tmp
    if [ -e "$store/$flavour/boot" ]; then
        readlink -f "$store/$flavour"
        return
    fi
    need_packages kmod
    command -v apt-get >/dev/null || die "the kernel package linux-image-$flavour comes from Debian's archive, and this machine has no apt-get"
    _kernel_package() { apt-cache depends --important "linux-image-$flavour" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -1; }
    package=$(_kernel_package)
    if [ -z "$package" ]; then
        apt_update_once
        package=$(_kernel_package)
        [ -n "$package" ] || die "no package linux-image-$flavour in the package lists (on Debian, as root: apt-get update)"
    fi
    mkdir -p "$store"
    tmp=$(mktemp -d "$store/tmp.XXXXXX")
    _kernel_download() { (cd "$tmp" && apt-get download -qq "$package" >/dev/null 2>"$tmp/log"); }
    if ! _kernel_download; then # The archive keeps only the newest version: the lists may be too old.
        apt_update_once
        package=$(_kernel_package)
        _kernel_download || { cat "$tmp/log" >&2; rm -rf "$tmp"; die "could not download $package"; }
    fi
    dpkg-deb -x "$tmp/$package"_*.deb "$tmp/tree"
    dir=$package-$(dpkg-deb -f "$tmp/$package"_*.deb Version | tr -d ':')
    rm -rf "${store:?}/$dir"
    # Since the merge of /usr a kernel package may keep its modules there.
    [ -d "$tmp/tree/lib" ] || ln -s usr/lib "$tmp/tree/lib"
    depmod -b "$tmp/tree" "$(ls "$tmp/tree/lib/modules")"
    mv -T "$tmp/tree" "$store/$dir"
    rm -rf "$tmp"
    ln -sfnT "$dir" "$store/$flavour"
    printf '%s\n' "$store/$dir"
}

# unpack_vmlinux BZIMAGE ELF: takes the ELF kernel out of a bzImage.
# The setup header (Documentation/x86/boot.rst) says where the payload is; its first bytes say how it is packed, its
# last four how long it is unpacked.
unpack_vmlinux() {
    local image=$1 elf=$2 sects offset length magic tool
    _u() { od -An -v -t "u$2" -j "$1" -N "$2" "$image" | tr -d ' \n'; }
    [ "$(_u $((0x202)) 2)" -ge $((0x208)) ] || die "$image: not a bzImage of protocol 2.08 or later"
    sects=$(_u $((0x1f1)) 1)
    offset=$(((sects + 1) * 512 + $(_u $((0x248)) 4)))
    length=$(_u $((0x24c)) 4)
    magic=$(od -An -v -t x1 -j "$offset" -N 6 "$image" | tr -d ' \n')
    case $magic in
        02214c18*) tool=lz4 length=$((length - 4)) ;;
        fd377a585a00) tool=xz length=$((length - 4)) ;;
        28b52ffd*) tool=zstd length=$((length - 4)) ;;
        1f8b*) tool=gzip ;;
        7f454c46*) tool='cat' ;;
        *) die "$image: the kernel is packed in a way this script does not know (first bytes $magic; known: lz4, xz, zstd, gzip, none)" ;;
    esac
    [ "$tool" = cat ] || command -v "$tool" >/dev/null || case $tool in
        xz) need_packages xz-utils ;;
        *) need_packages "$tool" ;;
    esac
    [ "$tool" = cat ] || tool="$tool -dc"
    dd if="$image" iflag=skip_bytes,count_bytes skip="$offset" count="$length" bs=1M status=none | $tool >"$elf.tmp"
    [ "$(head -c 4 "$elf.tmp" | od -An -t x1 | tr -d ' ')" = 7f454c46 ] || die "$image: unpacking it gave no ELF file"
    mv "$elf.tmp" "$elf"
}
