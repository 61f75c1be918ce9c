using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Store;
using Strato.Client.Switches;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Client.Runtime;

/// <summary>What a new engine inherits open: the kernel, the initrd, the images of its disks, taps, and passt's sockets.</summary>
/// <remarks>
/// What can't be opened here keeps its path or name: the engine can't open it either, and says why, as it does to whoever starts one
/// by hand. So there is one place that knows what may be wrong with a file.
/// </remarks>
/// <param name="paths">Where the switches are.</param>
/// <param name="vmId">The VM's.</param>
/// <param name="deadline">The end of the wait for passt.</param>
/// <param name="token">Ends that wait, and those of a switch.</param>
internal sealed class StartFiles(StratoPaths paths, string vmId, Deadline deadline, CancellationToken token) : IDisposable
{
    private readonly List<FileDescriptor> _files = [];
    private readonly List<string> _options = [];
    private int _sets;

    /// <summary>In the order of their numbers in the engine, from <see cref="Spawn.FirstPassed"/> on.</summary>
    internal IReadOnlyList<FileDescriptor> Files => _files;

    /// <summary>The options that make sets of the files.</summary>
    internal IReadOnlyList<string> Options => _options;

    /// <summary>Opens a kernel or initrd.</summary>
    /// <returns>The path that the engine opens.</returns>
    internal string OpenImage(string path) => Share(Libc.Open(path, HostFiles.Waitless), path);

    /// <summary>Opens a drive's image.</summary>
    /// <inheritdoc cref="OpenImage" path="/returns"/>
    internal string OpenDisk(DriveDefinition drive) => Share(Libc.Open(drive.Path, HostFiles.DiskFlags(drive)), drive.Path);

    /// <summary>Opens a tap, or starts passt.</summary>
    /// <param name="adapter">Checked.</param>
    /// <param name="part">Doubles the commas of a value.</param>
    /// <returns>The value of <c>-netdev</c>.</returns>
    /// <exception cref="StratoException">StartTimeout: the engine would only wait for passt once more. Those of <see cref="SwitchTap.Open"/>, of which the engine knows nothing, and PortInUse, PortForbidden, PortAddressNotFound: it couldn't say that.</exception>
    internal string OpenNetdev(NetworkAdapterDefinition adapter, Func<string, string> part)
    {
        NetworkAdapterSettings settings = adapter.Settings;
        int queues = settings.QueueCount ?? 1;
        List<FileDescriptor> opened = [];
        try
        {
            if (settings.LeadsToUser)
            {
                PortForward[] forwards = Array.ConvertAll<string, PortForward>([.. settings.PortForward ?? []], forward => PortForward.Parse(forward, "-PortForward"));
                string socket = Give([PasstStarter.Start(forwards, ProgramPath.Folders, adapter.Id, deadline, token)]);
                return $"stream,id={part(adapter.Id)},addr.type=fd,addr.str={socket}";
            }

            opened = settings.TapName is { } tap ? HostFiles.OpenTap(tap, queues) : SwitchTap.Open(paths, vmId, adapter, token);
            string vhost = settings.Vhost == true ? $",vhost=on,vhostfds={Give(HostFiles.OpenVhostNet(queues))}" : "";
            return $"tap,id={part(adapter.Id)},fds={Give(opened)}{vhost}";
        }
        catch (Exception e) when (settings.SwitchName is null && e is StratoException { Id: not ("StartTimeout" or PortProbe.InUse or PortProbe.Forbidden or PortProbe.NoAddress) } or UserErrorException or IOException or UnauthorizedAccessException)
        {
            opened.ForEach(file => file.Dispose());
            return NetworkAdapterFields.Netdev(vmId, adapter, part);
        }
        catch
        {
            opened.ForEach(file => file.Dispose());
            throw;
        }
    }

    public void Dispose() => _files.ForEach(file => file.Dispose());

    /// <param name="fd">Of the file; -1 if it can't be opened.</param>
    /// <param name="path">The file's.</param>
    private string Share(int fd, string path)
    {
        if (fd < 0)
        {
            return path;
        }

        string number = Give([new FileDescriptor(fd)]);
        int set = _sets++;
        _options.AddRange(["-add-fd", string.Create(CultureInfo.InvariantCulture, $"fd={number},set={set},opaque={EngineArguments.Part(path)},keep=off")]);
        return string.Create(CultureInfo.InvariantCulture, $"/dev/fdset/{set}");
    }

    /// <summary>Takes files over.</summary>
    /// <returns>Their numbers in the engine, divided by colons.</returns>
    private string Give(IReadOnlyList<FileDescriptor> files)
    {
        List<string> numbers = [];
        foreach (FileDescriptor file in files)
        {
            numbers.Add((Spawn.FirstPassed + _files.Count).ToString(CultureInfo.InvariantCulture));
            _files.Add(file);
        }

        return string.Join(':', numbers);
    }
}
