using System.Collections.Generic;
using System.Threading;
using Strato.Client.Runtime;
using Strato.Client.Store;
using Strato.Protocol.Configuration;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>The host's huge pages, each size that its kernel has, the smallest first.</summary>
    public static IReadOnlyList<HugePageInfo> GetHugePages() => HostHugePages.Read();

    /// <summary>The host's huge pages of one size; error <c>HugePageSizeUnavailable</c>.</summary>
    public static HugePageInfo GetHugePages(long pageSize) => HostHugePages.Get(pageSize, "-Size");

    /// <summary>Sets so many huge pages of one size aside. Errors: <c>HugePageSizeUnavailable</c>, <c>AccessDenied</c>, <c>HugePagesTooFew</c>.</summary>
    /// <param name="pageSize">Bytes of a page.</param>
    /// <param name="count">Pages in all. More than that stay while they are in use.</param>
    /// <param name="token">Ends it between two steps; what is set aside by then stays.</param>
    /// <returns>What there is then.</returns>
    public static HugePageInfo SetHugePages(long pageSize, long count, CancellationToken token = default)
    {
        HugePageInfo pages = HostHugePages.SetCount(pageSize, count, token);
        return pages.Total >= count ? pages : throw new StratoException(
            StratoErrorKind.Unavailable,
            "HugePagesTooFew",
            $"The kernel has set {pages.Total} huge pages of {ByteSize.Describe(pageSize)} aside, and {count} were asked for: for the others it found no free memory in one piece.")
        {
            RecommendedAction = $"Free memory and try again, or set them aside when the host boots: hugepagesz={ByteSize.Format(pageSize)} hugepages={count} on its kernel's command line.",
        };
    }

    /// <summary>Refuses huge pages that a VM can't have.</summary>
    internal static void CheckHugePages(VmDefinition vm)
    {
        if (vm.HugePage is not { } size)
        {
            return;
        }

        if (vm.Balloon is not null)
        {
            throw new StratoException(
                StratoErrorKind.InvalidArgument,
                "BalloonWithHugePages",
                $"The VM '{vm.Name}' can't have both huge pages of {ByteSize.Describe(size)} and a balloon, which gives memory back by pages of 4096 bytes.")
            {
                VmName = vm.Name,
                RecommendedAction = $"Remove-StratoBalloon '{vm.Name}' takes the balloon away, Set-StratoVm '{vm.Name}' -HugePage 0 the huge pages.",
            };
        }

        VmRules.CheckHugePage(vm.Memory, size);
    }
}
