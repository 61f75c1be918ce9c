using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>The pipe on which an engine says <c>ok</c>, or why it can't run: one line of JSON {id, message, where}.</summary>
internal sealed unsafe class ReadinessPipe : IDisposable
{
    private const int MaximumLine = 64 * 1024;
    private readonly FileDescriptor _read;
    private FileDescriptor? _write;

    internal ReadinessPipe()
    {
        int* ends = stackalloc int[2];
        if (Libc.pipe2(ends, Libc.O_CLOEXEC | Libc.O_NONBLOCK) != 0)
        {
            throw new StratoException(StratoErrorKind.Failed, "EngineStartFailed", $"pipe2: {Errno.Text(Errno.Last)}.");
        }

        _read = new FileDescriptor(ends[0]);
        _write = new FileDescriptor(ends[1]);
        // The engine's end blocks, as a program expects of its descriptors.
        _ = Libc.fcntl(ends[1], Libc.F_SETFL, (nint)Libc.O_WRONLY);
    }

    internal int WriteEnd => _write!.Value;

    /// <summary>Closes this process's copy, so that the pipe ends with the engine.</summary>
    internal void CloseWriteEnd()
    {
        _write?.Dispose();
        _write = null;
    }

    /// <summary>The first line (or what there was of it at the end); null when the time limit passed; empty when nothing was written.</summary>
    /// <param name="process">A pidfd: the end of the process ends the wait, even where a child of it holds the pipe.</param>
    internal string? ReadLine(int process, Deadline deadline, CancellationToken token)
    {
        List<byte> line = [];
        Span<byte> buffer = stackalloc byte[1024];
        using Waiter waiter = new(token);
        bool ended = false;
        while (true)
        {
            int count = Libc.Read(_read.Value, buffer);
            if (count > 0)
            {
                int newline = buffer[..count].IndexOf((byte)'\n');
                line.AddRange(newline < 0 ? buffer[..count] : buffer[..newline]);
                if (newline >= 0 || line.Count > MaximumLine)
                {
                    return Encoding.UTF8.GetString([.. line]);
                }
            }
            else if (count == 0 || ended)
            {
                return Encoding.UTF8.GetString([.. line]);
            }
            else
            {
                int ready = waiter.WaitReadable(deadline, _read.Value, process);
                if (ready < 0)
                {
                    return null;
                }

                // What was written before the end is still in the pipe: read once more.
                ended = ready == 1;
            }
        }
    }

    /// <summary>The engine's error as an exception; null if the line isn't one.</summary>
    internal static StratoException? TryParseError(string line, string vmName)
    {
        try
        {
            JsonElement root = Qmp.ReceivedJson.Parse(Encoding.UTF8.GetBytes(line));
            string? id = Qmp.QmpCommand.Text(root, "id");
            string? message = Qmp.QmpCommand.Text(root, "message");
            string? where = Qmp.QmpCommand.Text(root, "where");
            if (id is null || message is null)
            {
                return null;
            }

            // The engine's advice names its own options; a cmdlet's user types others.
            string? typed = Qmp.QmpCommand.Text(root, "advice") is null ? null : TypedFor(id);
            return new StratoException(KindOf(id), id, typed is null ? message : $"{message} ({typed})")
            {
                Where = string.IsNullOrEmpty(where) ? null : where,

                // What to do about KVM is in the engine's message.
                RecommendedAction = id.StartsWith("Kvm", StringComparison.Ordinal) ? null : ActionFor(id),
                VmName = vmName,
            };
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static StratoErrorKind KindOf(string id)
    {
        return id switch
        {
            "DriveReadOnly" => StratoErrorKind.Permission,
            "SnapshotDamaged" or "SnapshotVersion" => StratoErrorKind.InvalidData,
            "SnapshotMismatch" or "SnapshotUnsupported" => StratoErrorKind.InvalidState,
            "DriveSize" or "DriveNotAFile" or "DriveSerial" or "DriveAio" or "DriveDirect" or "CommandLineFormat" or "OutOfRange" => StratoErrorKind.InvalidArgument,
            _ when id.Contains("Permission", StringComparison.Ordinal) || Ends("NotReadable") || Ends("NotWritable") => StratoErrorKind.Permission,
            _ when Begins("Kvm") || Ends("Unavailable") || Ends("TooFew") || Ends("NotOffered") => StratoErrorKind.Unavailable,
            _ when Ends("NotFound") => StratoErrorKind.NotFound,
            _ when Ends("Locked") || Ends("Exists") || Ends("Taken") => StratoErrorKind.Busy,
            _ when Begins("Invalid") || Begins("Unknown") || Begins("TooMany") || Begins("Duplicate") || Ends("TooLarge") || Ends("TooLong") || Ends("Missing") || Ends("NotFolder") => StratoErrorKind.InvalidArgument,
            _ when Ends("Format") || Ends("Truncated") || Ends("Empty") => StratoErrorKind.InvalidData,
            _ => StratoErrorKind.Engine,
        };

        bool Begins(string start) => id.StartsWith(start, StringComparison.Ordinal);
        bool Ends(string end) => id.EndsWith(end, StringComparison.Ordinal);
    }

    /// <summary>What a user does about the engine's errors.</summary>
    internal static string? ActionFor(string id) => id switch
    {
        "KvmUnavailable" => "Load kvm-amd or kvm-intel, and enable virtualization in the firmware; inside a VM, nested virtualization has to be on.",
        "KvmNoPermission" => "Join the group of /dev/kvm (usually kvm): sudo usermod -aG kvm $USER, then log in again.",
        "DriveSize" => Store.VmRules.SectorsAction,
        "PasstNotFound" => "Install passt (on Debian: apt install passt), or give the VM a tap by Set-StratoNetworkAdapter -TapName.",
        "VirtiofsdNotFound" => "Install virtiofsd (on Debian: apt install virtiofsd, on Debian 12 qemu-system-common), or take the folder away by Remove-StratoSharedFolder.",
        "VirtiofsdFailed" => "virtiofsd needs root or user namespaces to shut itself into the folder; its own message tells what the host refuses.",
        "SharedFolderPathNotFound" or "SharedFolderNotFolder" => "Make the folder, or share another by Set-StratoSharedFolder -Path.",
        "DriveLocked" => "Another VM or program has the image open: stop it, or use the drive read-only in both.",
        "HugePagesTooFew" => "As root, Set-StratoHugePage sets more of them aside; Get-StratoHugePage shows how many there are.",
        "CpuFeatureNotOffered" => "Set-StratoVm -CpuModel and -CpuFeature ask for less; strato-engine -cpu help lists what this host's KVM offers.",
        "SandboxRefused" => "Set-StratoVm -NoSandbox starts the VM without a sandbox; Get-StratoHost's SandboxReason tells what the host allows.",
        "SnapshotMismatch" => "A snapshot goes on in the machine that it was saved of: on a host with at least its CPU's features, and with the same devices.",
        "SnapshotDamaged" => "Test-StratoSnapshot tells what of it is damaged.",
        "CidTaken" => "Set-StratoVsock -GuestCid gives the VM another address.",
        _ => null,
    };

    /// <summary>The parameter that gets a cmdlet's user through where the engine has advice of its own; null when there is none.</summary>
    private static string? TypedFor(string id) => id switch
    {
        "KvmEmulated" => "-AllowEmulation tries all the same",
        "DriveReadOnly" or "DrivePermission" or "DriveLocked" => "Remove-StratoDrive and then Add-StratoDrive -ReadOnly make it a drive that is only read",
        _ => null,
    };

    public void Dispose()
    {
        CloseWriteEnd();
        _read.Dispose();
    }
}
