using System;
using System.Collections.Generic;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>Options of QEMU that people paste: those that say how it is here anyway are taken, those that would change something are refused with what to use instead.</summary>
internal static class QemuHabits
{
    private static readonly string[] SaidAnyway = ["-nodefaults", "-nographic", "-enable-kvm", "-no-user-config"];

    /// <summary>Options of which one value says how it is here anyway.</summary>
    private static readonly (string Name, string Value)[] ValueSaidAnyway =
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

    /// <summary>Options for the table, each of which does nothing.</summary>
    public static IEnumerable<OptionSpec> Accepted
    {
        get
        {
            foreach (string name in SaidAnyway)
            {
                yield return new OptionSpec(name, null, "Taken for QEMU's users: it is so anyway.", (_, _) => { });
            }

            foreach ((string name, string value) in ValueSaidAnyway)
            {
                yield return new OptionSpec(name, value, "Taken for QEMU's users: it is so anyway. No other value is.", (_, given) => CheckValue(name, value, given));
            }
        }
    }

    /// <summary>What to use instead of an option of QEMU, as the rest of a sentence; null for what isn't known.</summary>
    public static string? Advice(string name) => Instead.GetValueOrDefault(name);

    private static void CheckValue(string name, string allowed, string given)
    {
        if (given != allowed)
        {
            throw new UserErrorException("InvalidOption", $"'{name} {ConfigurationLimits.Printable(given)}' is an option of QEMU that isn't built here; allowed: {name} {allowed}, which is how it is.", name);
        }
    }
}
