using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>A kind of device that a VM may have several of, each with an id.</summary>
/// <param name="Noun">What a person calls it.</param>
/// <param name="NotFound">Id of the error that there is none of an id.</param>
/// <param name="Of">Those of a VM.</param>
/// <param name="IdOf">The id of one.</param>
internal sealed record DeviceFamily<T>(string Noun, string NotFound, Func<VmDefinition, IReadOnlyList<T>> Of, Func<T, string> IdOf)
{
    /// <summary>Finds by id or wildcard. A wildcard that matches none is silent; an id that none of the VM has is an error.</summary>
    public IReadOnlyList<T> Find(VmDefinition vm, string id)
    {
        IReadOnlyList<T> all = Of(vm);
        T[] exact = [.. all.Where(device => IdOf(device).Equals(id, StringComparison.OrdinalIgnoreCase))];
        if (exact.Length > 0)
        {
            return exact;
        }

        if (!WildcardPattern.ContainsWildcardCharacters(id))
        {
            string known = all.Count == 0 ? "it has none" : $"it has {string.Join(", ", all.Select(device => $"'{IdOf(device)}'"))}";
            throw new StratoException(StratoErrorKind.NotFound, NotFound, $"The VM '{vm.Name}' has no {Noun} '{id}'; {known}.") { VmName = vm.Name };
        }

        WildcardPattern pattern = WildcardPattern.Get(id, WildcardOptions.IgnoreCase | WildcardOptions.CultureInvariant);
        return [.. all.Where(device => pattern.IsMatch(IdOf(device)))];
    }
}

/// <summary>The kinds there are.</summary>
internal static class DeviceFamily
{
    public static readonly DeviceFamily<DriveDefinition> Drives = new("disk", "DriveNotFound", vm => vm.Drives, drive => drive.Id);

    public static readonly DeviceFamily<NetworkAdapterDefinition> NetworkAdapters =
        new("network adapter", "NetworkAdapterNotFound", vm => vm.NetworkAdapters, adapter => adapter.Id);

    public static readonly DeviceFamily<IoThreadDefinition> IoThreads = new("iothread", "IoThreadNotFound", vm => vm.IoThreads, thread => thread.Id);

    public static readonly DeviceFamily<ConsolePortDefinition> ConsolePorts = new("console port", "ConsolePortNotFound", vm => vm.ConsolePorts, port => port.Id);

    public static readonly DeviceFamily<SharedFolderDefinition> SharedFolders = new("shared folder", "SharedFolderNotFound", vm => vm.SharedFolders, folder => folder.Tag);
}
