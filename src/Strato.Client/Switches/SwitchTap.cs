using System;
using System.Collections.Generic;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client.Switches;

/// <summary>Taps of adapters on switches. One is there as long as its engine has its descriptors, and goes with them, however the engine ends.</summary>
internal static class SwitchTap
{
    /// <summary>Characters that a name has room for behind the VM's id.</summary>
    private const int Room = 4;

    /// <summary>The tap's name, which follows from the VM's id and the adapter's: at most 15 bytes, such as stabcdefgh-net0.</summary>
    internal static string NameOf(string vmId, string adapterId)
    {
        bool fits = adapterId.Length <= Room;
        foreach (char c in adapterId)
        {
            fits &= char.IsAsciiLetterOrDigit(c);
        }

        string end = fits ? adapterId : Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(adapterId)))[..Room].ToLowerInvariant();
        return $"st{vmId}-{end}";
    }

    /// <summary>Takes the switch up where it is down, and makes the tap a port of it.</summary>
    /// <returns>Each queue of the tap.</returns>
    /// <exception cref="StratoException"><c>SwitchNotFound</c>, those of <see cref="SwitchMaker.Ensure"/>, <c>TapFailed</c>.</exception>
    internal static List<FileDescriptor> Open(StratoPaths paths, string vmId, NetworkAdapterDefinition adapter, CancellationToken token)
    {
        SwitchStore store = new(paths);
        string switchName = adapter.Settings.SwitchName!;
        store.Get(switchName);
        SwitchMaker.RequireRight(switchName);
        using FileLock held = store.Lock(token);
        SwitchDefinition definition = store.Get(switchName);
        SwitchMaker.Ensure(definition, token);
        string name = NameOf(vmId, adapter.Id);
        List<FileDescriptor> files = HostFiles.MakeTap(name, adapter.Settings.QueueCount ?? 1);
        try
        {
            using RouteSocket socket = new();
            List<NetworkLink> links = NetworkLinks.List(socket);
            NetworkLink? tap = links.Find(link => link.Name == name);
            NetworkLink? bridge = links.Find(link => link.Name == definition.BridgeName);

            // A bridge has the least MTU of its ports: one that is larger than a tap's own is kept.
            int errno = tap is null || bridge is null ? Errno.ENODEV : NetworkLinks.Attach(socket, tap, bridge, bridge.Mtu);
            return errno == 0 ? files : throw SwitchMaker.Failed(definition, $"the tap '{name}' can't be its port", errno);
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }
}
