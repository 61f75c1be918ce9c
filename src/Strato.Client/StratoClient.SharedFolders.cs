using System.Collections.Generic;
using System.Threading;
using Strato.Client.Store;

namespace Strato.Client;

public sealed partial class StratoClient
{
    private const string TheFolders = "Its shared folders";

    /// <summary>Shares a folder with a stopped VM's guest. Errors: <c>VmRunning</c>, <c>SharedFolderExists</c>, <c>SharedFolderPathNotFound</c>, <c>SharedFolderNotFolder</c>, <c>InvalidTag</c>, <c>InvalidPath</c>.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="path">Absolute path of the folder.</param>
    /// <param name="tag">Default: the first free of share0, share1 and so on.</param>
    /// <param name="token">Ends the wait for the VM's lock.</param>
    public SharedFolderDefinition AddSharedFolder(string id, string path, string? tag, CancellationToken token = default)
    {
        SharedFolderDefinition? added = null;
        Change(
            id,
            TheFolders,
            before =>
            {
                added = new SharedFolderDefinition { Tag = tag ?? FreeTag(before), Path = path };
                DeviceRules.CheckSharedFolder(added);
                return IndexOfFolder(before, added.Tag) < 0
                    ? before with { SharedFolders = [.. before.SharedFolders, added] }
                    : throw new StratoException(StratoErrorKind.AlreadyExists, "SharedFolderExists", $"The VM '{before.Name}' has a shared folder '{added.Tag}' already.") { Where = "-Tag", VmName = before.Name };
            },
            token);
        return added!;
    }

    /// <summary>Shares another folder under a tag of a stopped VM. Errors: <c>VmRunning</c>, <c>SharedFolderNotFound</c>, <c>SharedFolderPathNotFound</c>, <c>SharedFolderNotFolder</c>, <c>InvalidPath</c>.</summary>
    public void SetSharedFolder(string id, string tag, string path, CancellationToken token = default) => Change(
        id,
        TheFolders,
        before =>
        {
            SharedFolderDefinition[] folders = [.. before.SharedFolders];
            int at = FindFolder(before, tag);
            folders[at] = folders[at] with { Path = path };
            DeviceRules.CheckSharedFolder(folders[at]);
            return before with { SharedFolders = folders };
        },
        token);

    /// <summary>Shares a folder no longer with a stopped VM; the folder stays. Errors: <c>VmRunning</c>, <c>SharedFolderNotFound</c>.</summary>
    public void RemoveSharedFolder(string id, string tag, CancellationToken token = default) => Change(
        id,
        TheFolders,
        before =>
        {
            List<SharedFolderDefinition> left = [.. before.SharedFolders];
            left.RemoveAt(FindFolder(before, tag));
            return before with { SharedFolders = left };
        },
        token);

    /// <remarks>The guest tells tags apart by case; ids of a VM are unique without regard to it, and so are tags.</remarks>
    private static int IndexOfFolder(VmDefinition vm, string tag)
    {
        for (int i = 0; i < vm.SharedFolders.Count; i++)
        {
            if (SameId(vm.SharedFolders[i].Tag, tag))
            {
                return i;
            }
        }

        return -1;
    }

    private static int FindFolder(VmDefinition vm, string tag) => IndexOfFolder(vm, tag) is int at and >= 0
        ? at
        : throw new StratoException(StratoErrorKind.NotFound, "SharedFolderNotFound", $"The VM '{vm.Name}' has no shared folder '{tag}'.")
        {
            VmName = vm.Name,
            RecommendedAction = $"Get-StratoSharedFolder -VMName '{vm.Name}' lists its shared folders.",
        };

    private static string FreeTag(VmDefinition vm)
    {
        int number = 0;
        while (IndexOfFolder(vm, $"share{number}") >= 0)
        {
            number++;
        }

        return $"share{number}";
    }
}
