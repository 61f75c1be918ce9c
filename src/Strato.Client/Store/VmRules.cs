using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Client.Store;

/// <summary>What a definition may say. The limits are the engine's own; here they speak of the cmdlets' parameters.</summary>
internal static class VmRules
{
    /// <summary>What to do about a drive that is no whole number of sectors.</summary>
    internal const string SectorsAction = "truncate -s %512 FILE rounds a raw image up to whole sectors; an image of another format, such as qcow2, has to be made a raw one.";

    /// <summary>Settings for a new VM, checked and with the defaults filled in.</summary>
    internal static VmSettings Complete(VmSettings given)
    {
        if (given.Name is null)
        {
            throw Invalid("InvalidName", "A VM needs a name.", "-Name");
        }

        if (string.IsNullOrEmpty(given.Kernel))
        {
            throw Invalid("KernelMissing", "A VM needs a kernel: the path of a bzImage or an ELF vmlinux.", "-Kernel");
        }

        VmSettings all = given with
        {
            Machine = given.Machine ?? ConfigurationLimits.DefaultMachineType,
            CommandLine = given.CommandLine ?? StratoClient.DefaultCommandLine,
            Memory = given.Memory ?? StratoClient.DefaultMemory,
            Cpu = given.Cpu ?? ProcessorRules.ShapeOf(null, ProcessorRules.With(new ProcessorDefinition(), given)).Cpus,
        };
        VmSettings complete = Check(all);
        if (complete.HugePage is { } size and not 0)
        {
            CheckHugePage(complete.Memory!.Value, size);
        }

        CheckProcessor(complete.Cpu!.Value, ProcessorRules.With(new ProcessorDefinition(), complete));
        return complete;
    }

    /// <summary>Counts that fit together, and features that are known.</summary>
    internal static void CheckProcessor(int cpus, ProcessorDefinition processor)
    {
        _ = ProcessorRules.ShapeOf(cpus, processor);
        _ = ProcessorRules.ModelOf(processor);
    }

    /// <summary>Memory is whole huge pages.</summary>
    internal static void CheckHugePage(long memory, long size)
    {
        if (memory % size != 0)
        {
            throw Invalid("InvalidMemory", $"Memory of {ByteSize.Describe(memory)} is not a multiple of the huge pages of {ByteSize.Describe(size)} that are to hold it.", "-Memory");
        }
    }

    /// <summary>Checks what is given; returns it with the machine type in its canonical spelling.</summary>
    internal static VmSettings Check(VmSettings given)
    {
        if (given.Name is not null)
        {
            CheckName(given.Name);
        }

        string? machine = given.Machine is null ? null : Convert(() => ConfigurationLimits.CheckMachineType(given.Machine, "-Machine"));
        if (given.Memory is { } memory)
        {
            Convert(() => ConfigurationLimits.CheckMemory(memory, "-Memory"));
        }

        if (given.HugePage is { } hugePage and not 0)
        {
            _ = HostHugePages.FindMount(hugePage, "-HugePage");
        }

        if (given.Cpu is { } cpu)
        {
            Convert(() => ConfigurationLimits.CheckCpus(cpu, "-Cpu"));
        }

        if (given.CommandLine is not null)
        {
            Convert(() => ConfigurationLimits.CheckCommandLine(given.CommandLine, "-CommandLine"));
        }

        if (given.Kernel is not null)
        {
            CheckFile(given.Kernel, "kernel", "Kernel", "-Kernel");
        }

        if (!string.IsNullOrEmpty(given.Initrd))
        {
            CheckFile(given.Initrd, "initrd", "Initrd", "-Initrd");
        }

        return given with { Machine = machine };
    }

    internal static void CheckName(string name)
    {
        Convert(() => ConfigurationLimits.CheckName(name, "-Name"));
        if (char.IsWhiteSpace(name[0]) || char.IsWhiteSpace(name[^1]))
        {
            throw Invalid("InvalidName", $"The name '{name}' begins or ends with a space; nobody would see that.", "-Name");
        }

        try
        {
            // Folders bear ids, but the name travels as UTF-8 in vm.json and on the engine's command line.
            new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetByteCount(name);
        }
        catch (EncoderFallbackException)
        {
            throw Invalid("InvalidName", "The name has half of a surrogate pair, which is not a character.", "-Name");
        }
    }

    /// <param name="drive">The drive; its id need not be checked yet, and stands in messages.</param>
    /// <param name="imageToo">Whether the image is looked at: one that went away is no reason to refuse a change of something else.</param>
    internal static void CheckDrive(DriveDefinition drive, bool imageToo)
    {
        if (drive.Serial is not null)
        {
            Convert(() => ConfigurationLimits.CheckSerialNumber(drive.Serial, "-Serial"));
        }

        CheckDriveIo(drive.Io, drive.Id, drive.Path);
        if (imageToo)
        {
            CheckFile(drive.Path, "drive", "DriveFile", "-Path");
            CheckSectors(drive.Path);
            CheckFormat(drive.Path);
        }
    }

    /// <summary>The engine refuses an image with part of a sector; nobody needs to wait for a start to hear that.</summary>
    private static void CheckSectors(string path)
    {
        const int Sector = 512;
        if (Libc.TryStatTarget(path, out Libc.statx_t stat) && (stat.stx_mode & Libc.S_IFMT) == Libc.S_IFREG && (stat.stx_size == 0 || stat.stx_size % Sector != 0))
        {
            throw new StratoException(
                StratoErrorKind.InvalidArgument, "DriveSize", $"The drive '{path}' has {stat.stx_size} bytes; allowed are multiples of {Sector}, at least {Sector}.")
            {
                Where = "-Path",
                RecommendedAction = SectorsAction,
            };
        }
    }

    /// <summary>An image of another format is no disk to a guest, which may well overwrite it.</summary>
    private static void CheckFormat(string path)
    {
        if (ImageFormat.Recognise(path) is { } format)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "DriveFormat", $"The drive '{path}' is an image in the format {format}; allowed are raw images and block devices.")
            {
                Where = "-Path",
                RecommendedAction = $"qemu-img convert -O raw '{path}' NEW makes a raw one.",
            };
        }
    }

    private static void CheckDriveIo(DriveIo io, string id, string path)
    {
        try
        {
            if (io.IoThread is { Length: > 0 })
            {
                ConfigurationLimits.CheckId(io.IoThread, "-IoThread");
            }

            io.ToConfiguration(id, path).CheckIo();
        }
        catch (UserErrorException e)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, e.Id, e.Message, e)
            {
                Where = e.Where switch
                {
                    "drive.aio" => "-Aio",
                    "drive.direct" => "-Direct",
                    "drive.num_queues" => "-QueueCount",
                    "drive.queue_size" => "-QueueSize",
                    "drive.iops" => "-Iops",
                    "drive.detect_zeroes" => "-DetectZeroes",
                    "drive.rerror" => "-ReadErrorAction",
                    _ => e.Where,
                },
            };
        }
    }

    internal static void CheckNetworkAdapter(NetworkAdapterSettings settings, string id)
    {
        if (settings.LeadsToUser && settings.User != true)
        {
            throw Invalid("InvalidNetworkAdapter", "None of -TapName, -SwitchName and -User says where the network adapter leads; give one.", "-TapName");
        }

        (string Name, bool Given)[] taps = [("-QueueCount", settings.QueueCount is > 1), ("-Vhost", settings.Vhost == true)];
        (string name, bool given) = settings.LeadsToUser ? Array.Find(taps, tap => tap.Given) : ("-PortForward", settings.PortForward is { Count: > 0 });
        if (given)
        {
            string needs = settings.LeadsToUser ? "a tap (-TapName, -SwitchName)" : "user networking (-User)";
            throw Invalid("InvalidNetworkAdapter", $"{name} is given, which needs {needs}.", name);
        }

        try
        {
            if (settings.IoThread is { Length: > 0 })
            {
                ConfigurationLimits.CheckId(settings.IoThread, "-IoThread");
            }

            NetConfiguration configuration = settings.ToConfiguration(id);
            configuration.Check();
            RefuseTwice(configuration.Netdev.Forwards);
        }
        catch (UserErrorException e)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, e.Id, e.Message, e)
            {
                Where = e.Where switch
                {
                    "-netdev queues" => "-QueueCount",
                    "net.mac" => "-MacAddress",
                    _ => e.Where,
                },
            };
        }
    }

    private static void RefuseTwice(IReadOnlyList<PortForward> forwards)
    {
        HashSet<(bool, System.Net.IPAddress?, int)> ports = [];
        foreach (PortForward forward in forwards)
        {
            if (!ports.Add((forward.Udp, forward.Address, forward.Port)))
            {
                throw Invalid("InvalidForward", $"The host's {(forward.Udp ? "UDP" : "TCP")} port {forward.Port} is given twice; it leads to one port of the guest.", "-Publish");
            }
        }
    }

    internal static void CheckId(string id) => Convert(() => ConfigurationLimits.CheckId(id, "-Id"));

    /// <summary>A path that is absolute and leads to a file or block device.</summary>
    internal static void CheckFile(string path, string what, string idPrefix, string where)
    {
        Convert(() => ConfigurationLimits.CheckPath(path, what, where));
        if (!Path.IsPathRooted(path))
        {
            throw Invalid("InvalidPath", $"The path of the {what}, '{path}', is not absolute.", where);
        }

        if (Directory.Exists(path))
        {
            throw Invalid($"{idPrefix}NotFile", $"The {what} '{path}' is a folder; a file is expected.", where);
        }

        if (!File.Exists(path))
        {
            throw new StratoException(StratoErrorKind.NotFound, $"{idPrefix}NotFound", $"The {what} '{path}' does not exist.") { Where = where };
        }
    }

    internal static StratoException Invalid(string id, string message, string where) => new(StratoErrorKind.InvalidArgument, id, message) { Where = where };

    internal static void Convert(Action check) => Convert(() =>
    {
        check();
        return true;
    });

    internal static T Convert<T>(Func<T> check)
    {
        try
        {
            return check();
        }
        catch (UserErrorException e)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, e.Id, e.Message, e) { Where = e.Where };
        }
    }
}
