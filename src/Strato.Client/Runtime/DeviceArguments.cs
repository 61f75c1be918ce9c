using System.Collections.Generic;
using System.Globalization;
using System.IO;

namespace Strato.Client.Runtime;

/// <summary>The devices that aren't disks, as the engine's command line.</summary>
internal static class DeviceArguments
{
    internal const string SocketPrefix = "port-";
    internal const string SocketSuffix = ".sock";

    /// <summary>Matches the sockets of ports in a running VM's own folder.</summary>
    internal const string SocketPattern = $"{SocketPrefix}*{SocketSuffix}";

    /// <summary>The socket or file that a port leads to.</summary>
    /// <param name="port">The port; not on a pty.</param>
    /// <param name="runtime">The running VM's own folder.</param>
    internal static string PathOf(ConsolePortDefinition port, string runtime) => port.Path ?? Path.Combine(runtime, SocketPrefix + port.Id + SocketSuffix);

    internal static void Add(List<string> arguments, VmDefinition vm, string runtime)
    {
        foreach (ConsolePortDefinition port in vm.ConsolePorts)
        {
            string id = EngineArguments.Part(port.Id);
            string path = $"id={id},path={EngineArguments.Part(PathOf(port, runtime))}";
            string chardev = port.Backend switch
            {
                ConsolePortBackend.File => $"file,{path}",
                ConsolePortBackend.Pty => $"pty,id={id}",
                _ => $"socket,{path},server,nowait",
            };
            arguments.AddRange(
            [
                "-chardev", chardev,
                "-device", port.Terminal ? $"virtconsole,chardev={id},id={id}" : $"virtserialport,chardev={id},id={id},name={id}",
            ]);
        }

        foreach (SharedFolderDefinition folder in vm.SharedFolders)
        {
            arguments.AddRange(["-device", $"vhost-user-fs-device,tag={EngineArguments.Part(folder.Tag)},source={EngineArguments.Part(folder.Path)}"]);
        }

        if (vm.Vsock is { } vsock)
        {
            arguments.AddRange(["-device", string.Create(CultureInfo.InvariantCulture, $"vhost-vsock-device,guest-cid={vsock.GuestCid}")]);
        }

        if (vm.Rng is { } rng)
        {
            string limit = rng.MaxBytes == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $",max-bytes={rng.MaxBytes},period={rng.Period}");
            arguments.AddRange(["-object", $"rng-random,id=rng,filename={EngineArguments.Part(rng.Source)}", "-device", $"virtio-rng-device,rng=rng{limit}"]);
        }

        if (vm.Balloon is { } balloon)
        {
            arguments.AddRange(["-device", $"virtio-balloon-device,deflate-on-oom={Switch(balloon.DeflateOnOom)},free-page-reporting={Switch(balloon.FreePageReporting)}"]);
        }
    }

    private static string Switch(bool value) => value ? "on" : "off";
}
