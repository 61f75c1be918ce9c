using System.Collections.Generic;
using System.IO;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>Debian's own programs in the busybox guest: the Debian root as a disk, at <c>/debian</c>, without its minutes of systemd.</summary>
internal static class DebianTools
{
    /// <summary>The disk; none where the Debian root isn't made.</summary>
    public static IReadOnlyList<Disk> Disks { get; } = File.Exists(TestHost.DebianRoot) ? [new Disk(TestHost.DebianRoot, ReadOnly: true)] : [];

    /// <summary>Skips a test where the Debian root isn't made; call it before the guest is booted.</summary>
    public static void Require() => Assert.SkipUnless(Disks.Count > 0, $"{TestHost.DebianRoot} is missing (./build.sh guest debian)");

    /// <summary>Mounts it, unless it is; then <c>chroot /debian PROGRAM</c> runs.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="disk">What the guest calls the disk.</param>
    public static void Mount(DebianGuest guest, string disk) => guest.Check(
        $"[ -d /debian/usr ] || {{ modprobe ext4; mkdir -p /debian; mount -t ext4 -o ro,noload /dev/{disk} /debian; "
        + "for d in tmp run; do mount -t tmpfs none /debian/$d; done; for d in dev proc sys; do mount --bind /$d /debian/$d; done; }");
}
