using System.IO;
using System.Text;
using System.Threading;

namespace Strato.Client.Images;

/// <summary>Makes the initial RAM disk of a guest: busybox, the kernel's modules, and an init of our own (init.sh).</summary>
internal static class InitrdImage
{
    private const string InitResource = "Strato.Client.Images.init.sh";

    // What busybox's DHCP client has learned.
    private const string DhcpScript = """
        #!/bin/sh
        [ "$1" = bound ] || [ "$1" = renew ] || exit 0
        ip addr add "$ip/${mask:-24}" dev "$interface"
        for gateway in $router; do
            ip route add "$gateway" dev "$interface" 2>/dev/null
            ip route add default via "$gateway" dev "$interface" && break
        done
        # Not through a link of the image's, which may lead to where nothing is yet.
        rm -f /root/etc/resolv.conf
        {
            [ -z "$domain" ] || echo "search $domain"
            for server in $dns; do echo "nameserver $server"; done
        } >/root/etc/resolv.conf
        """;

    // Of an image that names no command and has no init.
    private const string ShellScript = """
        export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
        cd /
        if [ -x /bin/sh ]; then exec /dev/.strato/busybox setsid /dev/.strato/busybox cttyhack /bin/sh; fi
        exec /dev/.strato/busybox setsid /dev/.strato/busybox cttyhack /dev/.strato/busybox sh
        """;

    /// <param name="path">The file to make.</param>
    /// <param name="kernel">Whose modules it has.</param>
    /// <param name="entry">A script that runs the image's command; empty for none.</param>
    /// <param name="work">A folder of our own.</param>
    /// <param name="token">Ends it.</param>
    /// <exception cref="StratoException">BusyboxNotFound, ModulesNotFound.</exception>
    internal static void Make(string path, GuestKernel kernel, string entry, string work, CancellationToken token)
    {
        using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write);
        CpioWriter cpio = new(file);
        cpio.AddFile("bin/busybox", File.ReadAllBytes(Busybox.Find()), executable: true);
        cpio.AddLink("bin/sh", "busybox");
        cpio.AddFile("init", InitScript(), executable: true);
        cpio.AddFile("etc/udhcpc", Text(DhcpScript), executable: true);
        cpio.AddFile("etc/shell", Text(ShellScript), executable: true);
        cpio.AddFile("etc/acpi/PWRF/00000080", Text("#!/bin/sh\nsync\npoweroff -f"), executable: true);
        cpio.AddFile("strato/entry", Encoding.UTF8.GetBytes(entry), executable: false);
        foreach (string folder in (string[])["dev", "proc", "sys", "root", "run", "tmp"])
        {
            cpio.AddFolder(folder);
        }

        if (kernel.Modules is not null)
        {
            StringBuilder list = new();
            foreach ((string name, byte[] content) in KernelModules.Collect(kernel.Modules, work, token))
            {
                cpio.AddFile($"modules/{name}.ko", content, executable: false);
                list.Append(name).Append('\n');
            }

            cpio.AddFile("modules/list", Encoding.UTF8.GetBytes(list.ToString()), executable: false);
        }

        cpio.Finish();
    }

    internal static byte[] InitScript()
    {
        using Stream resource = typeof(InitrdImage).Assembly.GetManifestResourceStream(InitResource)!;
        using MemoryStream text = new();
        resource.CopyTo(text);
        return text.ToArray();
    }

    private static byte[] Text(string script) => Encoding.UTF8.GetBytes(script + "\n");
}
