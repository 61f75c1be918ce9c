using System.Globalization;
using System.Threading;
using Strato.Client.Runtime;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>Least and most of <see cref="ProcessorDefinition.Weight"/>.</summary>
    private const int MaximumWeight = 10_000;

    /// <summary>Most of <see cref="ProcessorDefinition.Quota"/>: ten thousand CPUs.</summary>
    private const int MaximumQuota = 1_000_000;

    /// <summary>Gives a VM its share of the host's CPUs, all its threads together: at once where it runs, and at each start from then on.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="weight">1 to 10000, where all without one have 100; 0 for none; null for as before.</param>
    /// <param name="quota">The most that it uses, in percent of one CPU; 0 for all; null for as before.</param>
    /// <param name="token">Ends the wait for the VM's lock.</param>
    /// <remarks>Errors: <c>InvalidWeight</c>, <c>InvalidQuota</c>; of a running VM <c>CgroupUnavailable</c>, <c>CgroupDenied</c>, <c>CgroupFailed</c>, of which the definition then knows nothing.</remarks>
    public void SetCpuShare(string id, int? weight, int? quota, CancellationToken token = default)
    {
        CheckShares(weight, quota);
        Store.Update(
            id,
            rename: false,
            before =>
            {
                VmDefinition after = before with
                {
                    Processor = before.Processor with
                    {
                        Weight = weight is null ? before.Processor.Weight : weight == 0 ? null : weight,
                        Quota = quota is null ? before.Processor.Quota : quota == 0 ? null : quota,
                    },
                };
                using EngineProcess? process = Registry.TryOpen(id);
                if (process is not null)
                {
                    ShareRunning(before, after, process, token);
                }

                return after;
            },
            token);
    }

    /// <summary>Errors <c>InvalidWeight</c>, <c>InvalidQuota</c>.</summary>
    internal static void CheckShares(int? weight, int? quota)
    {
        CheckShare(weight, MaximumWeight, "InvalidWeight", "-Weight", "0 for the host's own, which is 100");
        CheckShare(quota, MaximumQuota, "InvalidQuota", "-Quota", "percent of one CPU, 0 for no limit");
    }

    private static void CheckShare(int? value, int most, string error, string parameter, string meaning)
    {
        if (value < 0 || value > most)
        {
            throw new StratoException(
                StratoErrorKind.InvalidArgument, error, string.Create(CultureInfo.InvariantCulture, $"{value} is out of range; allowed: 1 to {most}, or {meaning}."))
            { Where = parameter };
        }
    }

    /// <summary>Under the VM's lock.</summary>
    private void ShareRunning(VmDefinition before, VmDefinition after, EngineProcess process, CancellationToken token)
    {
        int pid = process.Run.Pid;
        if (CpuShare.Find(after.Id, pid) is { } own)
        {
            try
            {
                CpuShare.Set(after, own);
            }
            catch (StratoException)
            {
                // Half of it, perhaps, was taken.
                TryShare(before, own);
                throw;
            }

            return;
        }

        if (!CpuShare.IsWanted(after))
        {
            return;
        }

        string made = CpuShare.Make(after);
        try
        {
            // The record first: who comes later finds the group by it.
            (process.Run with { Cgroup = made }).Write(Paths.RunFile(after.Id));
            CpuShare.Enter(after, made, pid);
        }
        catch
        {
            CpuShare.Remove(made, patient: false);
            throw;
        }

        // Another group's set of CPUs takes pins away (before Linux 6.2).
        if (after.Processor.Affinity.Count > 0)
        {
            Pin(after.Id, process, after.Processor.Affinity, token);
        }
    }

    private static void TryShare(VmDefinition vm, string folder)
    {
        try
        {
            CpuShare.Set(vm, folder);
        }
        catch (StratoException)
        {
            // The first failure is told.
        }
    }
}
