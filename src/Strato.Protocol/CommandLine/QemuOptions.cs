using System;
using System.Collections.Generic;

namespace Strato.Protocol.CommandLine;

/// <summary>Options of QEMU that this machine has no use for, or another word.</summary>
public static class QemuOptions
{
    /// <summary>Options without a value that say how it is here anyway.</summary>
    public static readonly IReadOnlyList<string> SaidAnyway = ["-nodefaults", "-nographic", "-enable-kvm", "-no-user-config"];

    /// <summary>Options of which one value says how it is here anyway.</summary>
    public static readonly IReadOnlyList<(string Name, string Value)> ValueSaidAnyway =
    [
        ("-accel", "kvm"), ("-display", "none"), ("-vga", "none"), ("-monitor", "none"), ("-parallel", "none"), ("-net", "none"), ("-nic", "none"),
    ];

    private static readonly Dictionary<string, string> Instead = new(StringComparer.Ordinal)
    {
        ["-hda"] = "-drive file=PATH,id=ID",
        ["-hdb"] = "-drive file=PATH,id=ID",
        ["-cdrom"] = "-drive file=PATH,id=ID,readonly=on",
        ["-snapshot"] = "-drive …,snapshot=on, for each drive",
        ["-blockdev"] = "-drive file=PATH,id=ID",
        ["-bios"] = "the machine starts a kernel, by -kernel",
        ["-pflash"] = "the machine starts a kernel, by -kernel",
        ["-boot"] = "the machine starts a kernel, by -kernel",
        ["-dtb"] = "ACPI tables and the kernel's command line tell the guest of the machine",
        ["-mon"] = "-qmp unix:PATH,server,nowait",
        ["-virtfs"] = "-device vhost-user-fs-device,tag=TAG,source=FOLDER",
        ["-fsdev"] = "-device vhost-user-fs-device,tag=TAG,source=FOLDER",
        ["-numa"] = "the machine has one node",
        ["-usb"] = "the machine has no USB",
        ["-usbdevice"] = "the machine has no USB",
        ["-vnc"] = "the machine has no screen: -serial, and -chardev for hvc0, are its terminals",
        ["-spice"] = "the machine has no screen: -serial, and -chardev for hvc0, are its terminals",
        ["-soundhw"] = "the machine has no sound",
        ["-audiodev"] = "the machine has no sound",
        ["-rtc"] = "the guest's clock is KVM's, in UTC",
        ["-global"] = "properties are given with each -device",
        ["-runas"] = "start the engine as that user",
        ["-chroot"] = "start the engine there",
        ["-gdb"] = "there is no debugger's port",
        ["-s"] = "there is no debugger's port; -S (upper case) waits for QMP's cont",
        ["-icount"] = "the guest runs on KVM, in real time",
        ["-loadvm"] = "there are no snapshots inside of images",
        ["-incoming"] = "machines aren't restored yet",
    };

    /// <summary>What to use instead of an option of QEMU, as the rest of a sentence; null for what isn't known.</summary>
    public static string? Advice(string name) => Instead.GetValueOrDefault(name);
}
