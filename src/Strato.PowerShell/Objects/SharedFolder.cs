using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>A folder of the host that a VM's guest can mount.</summary>
public sealed class SharedFolder
{
    internal SharedFolder(VmTarget vm, SharedFolderDefinition folder)
    {
        Vm = vm;
        VMName = vm.Name;
        VMId = vm.Id;
        Tag = folder.Tag;
        Path = folder.Path;
    }

    internal VmTarget Vm { get; }

    /// <summary>Name of the VM the folder is shared with.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>Unique within the VM; the guest mounts the folder by it: mount -t virtiofs TAG /mnt.</summary>
    public string Tag { get; }

    /// <summary>The folder of the host.</summary>
    public string Path { get; }

    public override string ToString() => Tag;
}
