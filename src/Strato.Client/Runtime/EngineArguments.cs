using System.Collections.Generic;
using System.Globalization;
using System.IO;
using Strato.Client.Store;

namespace Strato.Client.Runtime;

/// <summary>A definition as the engine's command line.</summary>
internal static class EngineArguments
{
    /// <param name="vm">The definition.</param>
    /// <param name="runtime">The running VM's own folder.</param>
    /// <param name="log">The engine's log.</param>
    /// <param name="consoleLog">The file of the console's output.</param>
    /// <param name="options">How it is started.</param>
    /// <param name="sandbox">The value of -sandbox; null for none.</param>
    /// <param name="files">Opens what the engine inherits; null for one that opens all by itself.</param>
    internal static List<string> Build(VmDefinition vm, string runtime, string log, string consoleLog, StartOptions options, string? sandbox = null, StartFiles? files = null)
    {
        // The programs that serve shared folders map the guest's memory.
        string sharing = vm.SharedFolders.Count > 0 ? ",mem-share=on" : "";
        string slots = vm.NoHotPlug ? ",hotplug=off" : "";
        List<string> arguments = ["-name", vm.Name, "-machine", $"type={Part(vm.Machine)}{sharing}{slots}", "-kernel", files?.OpenImage(vm.Kernel) ?? vm.Kernel];
        if (vm.Initrd is not null)
        {
            arguments.AddRange(["-initrd", files?.OpenImage(vm.Initrd) ?? vm.Initrd]);
        }

        arguments.AddRange(
        [
            "-append", vm.CommandLine,
            "-m", vm.Memory.ToString(CultureInfo.InvariantCulture),
            "-smp", ProcessorRules.Smp(vm),
        ]);
        if (ProcessorRules.ModelOf(vm.Processor) is { IsPlainHost: false } model)
        {
            arguments.AddRange(["-cpu", model.ToString()]);
        }

        if (vm.HugePage is { } hugePage)
        {
            arguments.AddRange(["-mem-path", HostHugePages.FindMount(hugePage, "-HugePage")]);
        }

        foreach (IoThreadDefinition thread in vm.IoThreads)
        {
            arguments.AddRange(["-iothread", $"id={Part(thread.Id)}"]);
        }

        foreach (DriveDefinition drive in vm.Drives)
        {
            string io = "";
            foreach ((string key, string value) in DriveIoFields.Options(drive.Io))
            {
                io += $",{key}={value}";
            }

            io += IoThread(drive.Io.IoThread);
            string serial = drive.Serial is null ? "" : $",serial={Part(drive.Serial)}";
            arguments.AddRange(
            [
                "-drive", $"id={Part(drive.Id)},file={Part(files?.OpenDisk(drive) ?? drive.Path)},readonly={(drive.ReadOnly ? "on" : "off")}{serial}{io}",
                "-device", $"virtio-blk-device,drive={Part(drive.Id)},id={Part(drive.Id)}",
            ]);
        }

        foreach (NetworkAdapterDefinition adapter in vm.NetworkAdapters)
        {
            string mac = adapter.Settings.MacAddress is { Length: > 0 } address ? $",mac={address}" : "";
            string thread = IoThread(adapter.Settings.IoThread);
            arguments.AddRange(
            [
                "-netdev", files?.OpenNetdev(adapter, Part) ?? NetworkAdapterFields.Netdev(vm.Id, adapter, Part),
                "-device", $"virtio-net-device,netdev={Part(adapter.Id)},id={Part(adapter.Id)}{mac}{thread}",
            ]);
        }

        DeviceArguments.Add(arguments, vm, runtime);
        if (options.Incoming is { } incoming)
        {
            arguments.AddRange(["-incoming", $"state={files?.OpenImage(incoming.State) ?? incoming.State},memory={files?.OpenImage(incoming.Memory) ?? incoming.Memory}"]);
            if (incoming.KeepsTime)
            {
                arguments.AddRange(["-incoming-time", "saved"]);
            }
        }

        arguments.AddRange(files?.Options ?? []);
        arguments.AddRange(
        [
            "-serial", $"console,socket={Part(Path.Combine(runtime, "console.sock"))},log={Part(consoleLog)}",
            "-qmp", $"unix:{Part(Path.Combine(runtime, "qmp.sock"))},server,nowait",
            "-D", log,
            "-ready-fd", "3",
        ]);
        if (options.Paused)
        {
            arguments.Add("-S");
        }

        if (options.NoReboot)
        {
            arguments.Add("-no-reboot");
        }

        if (sandbox is not null)
        {
            arguments.AddRange(["-sandbox", sandbox]);
        }

        if (options.Force)
        {
            arguments.Add("-force");
        }

        return arguments;
    }

    private static string IoThread(string? thread) => string.IsNullOrEmpty(thread) ? "" : $",iothread={Part(thread)}";

    /// <summary>A comma ends a part of an option; a doubled one stands for itself.</summary>
    internal static string Part(string value) => value.Replace(",", ",,", System.StringComparison.Ordinal);
}
