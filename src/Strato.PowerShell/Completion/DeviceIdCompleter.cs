using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Completes ids of devices, of the VMs that the command line names so far.</summary>
public abstract class DeviceIdCompleter : IArgumentCompleter
{
    /// <summary>Ids of the VM's devices, each with a tip.</summary>
    private protected abstract IEnumerable<(string Id, string Tip)> Of(VmDefinition vm);

    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        HashSet<string> seen = new(StringComparer.OrdinalIgnoreCase);
        foreach (VmDefinition vm in VmNameCompleter.Definitions())
        {
            if (!IsMeant(vm, fakeBoundParameters))
            {
                continue;
            }

            foreach ((string id, string tip) in Of(vm))
            {
                if (Completion.Matches(id, wordToComplete) && seen.Add(id))
                {
                    yield return Result(id, tip);
                }
            }
        }
    }

    private protected virtual CompletionResult Result(string id, string tip) => Completion.Result(id, tip);

    private static bool IsMeant(VmDefinition vm, IDictionary bound)
    {
        object? given = bound["VMName"] ?? bound["VM"];
        given = given is PSObject wrapped ? wrapped.BaseObject : given;
        if (given is null)
        {
            return true;
        }

        foreach (object? item in given is IEnumerable many and not string ? many : new[] { given })
        {
            if (item?.ToString() is { } name && WildcardPattern.Get(name, WildcardOptions.IgnoreCase).IsMatch(vm.Name))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>Completes ids of disks.</summary>
public sealed class DriveIdCompleter : DeviceIdCompleter
{
    private protected override IEnumerable<(string Id, string Tip)> Of(VmDefinition vm) => vm.Drives.Select(drive => (drive.Id, drive.Path));
}

/// <summary>Completes ids of console ports.</summary>
public sealed class ConsolePortIdCompleter : DeviceIdCompleter
{
    private protected override IEnumerable<(string Id, string Tip)> Of(VmDefinition vm) =>
        vm.ConsolePorts.Select(port => (port.Id, port.Terminal ? "Terminal of the guest." : $"/dev/virtio-ports/{port.Id} of the guest."));
}

/// <summary>Completes ids of iothreads.</summary>
public sealed class IoThreadIdCompleter : DeviceIdCompleter
{
    private protected override IEnumerable<(string Id, string Tip)> Of(VmDefinition vm) =>
        vm.IoThreads.Select(thread => (thread.Id, StratoClient.GetIoThreadUsers(vm, thread.Id) is { Count: > 0 } users ? $"serves {string.Join(", ", users)}" : "serves nothing"));
}

/// <summary>Completes ids of network adapters.</summary>
public sealed class NetworkAdapterIdCompleter : DeviceIdCompleter
{
    private protected override IEnumerable<(string Id, string Tip)> Of(VmDefinition vm) =>
        vm.NetworkAdapters.Select(adapter => (adapter.Id, adapter.Settings.SwitchName ?? adapter.Settings.TapName ?? "user networking"));
}

/// <summary>Completes tags of shared folders.</summary>
public sealed class SharedFolderTagCompleter : DeviceIdCompleter
{
    private protected override IEnumerable<(string Id, string Tip)> Of(VmDefinition vm) => vm.SharedFolders.Select(folder => (folder.Tag, folder.Path));
}

/// <summary>Completes numbers of virtual CPUs.</summary>
public sealed class VirtualCpuCompleter : DeviceIdCompleter
{
    private protected override IEnumerable<(string Id, string Tip)> Of(VmDefinition vm) =>
        Enumerable.Range(0, vm.Cpu).Select(index => (index.ToString(CultureInfo.InvariantCulture), "virtual CPU"));

    private protected override CompletionResult Result(string id, string tip) => Completion.Number(id, tip);
}
