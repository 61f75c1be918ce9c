using System;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>Pins threads to the host's CPUs, and says which there are to be pinned to.</summary>
internal static class Affinity
{
    private const string Where = "-Affinity";
    private const string CallFailed = "AffinityFailed";

    /// <summary>Refuses CPUs that aren't online, or that the engine's cgroup doesn't have. Errors <c>HostCpuOffline</c>, <c>HostCpuOutsideCgroup</c>.</summary>
    /// <param name="wanted">The CPUs.</param>
    /// <param name="allowed">Those of the cgroup that the engine is in, or will be in; null for this process's, whose child it will be.</param>
    internal static void Check(HostCpus wanted, HostCpus? allowed)
    {
        StratoException? failure = null;
        if (allowed is null)
        {
            // On a thread of its own, whose mask nobody misses.
            Thread asking = new(() =>
            {
                try
                {
                    allowed = AllowedFor(0);
                }
                catch (StratoException e)
                {
                    failure = e;
                }
            });
            asking.Start();
            asking.Join();
        }

        Compare(wanted, allowed ?? throw failure!);
    }

    /// <summary>The CPUs of a running engine's cgroup; null when it has ended.</summary>
    internal static HostCpus? AllowedOf(int process)
    {
        HostCpus? before = Get(process, process);
        if (before is null)
        {
            return null;
        }

        try
        {
            HostCpus allowed = AllowedFor(process);
            Set(process, before);
            return allowed;
        }
        catch (StratoException) when (!IsOf(process, process))
        {
            return null;
        }
    }

    /// <summary>Pins a thread of an engine; null for all that it may use. One that has ended meanwhile is passed over.</summary>
    /// <param name="process">The engine, which the thread must be of: ids of threads are used again.</param>
    /// <param name="thread">The kernel's id.</param>
    /// <param name="cpus">As <see cref="Check"/> lets them through, but for the engine's cgroup.</param>
    internal static void Pin(int process, int thread, HostCpus? cpus)
    {
        if (!IsOf(process, thread))
        {
            return;
        }

        try
        {
            Pin(thread, cpus);
        }
        catch (StratoException e) when (e.Id == CallFailed && !IsOf(process, thread))
        {
            // It ended meanwhile.
        }
    }

    /// <summary>Lets an engine's main thread run elsewhere for as long as it makes another, which has its CPUs from the first instruction on.</summary>
    /// <param name="process">The engine.</param>
    /// <param name="cpus">As for <see cref="Pin(int, int, HostCpus?)"/>.</param>
    /// <param name="work">What has the thread made.</param>
    internal static void WhileMainIsOn(int process, HostCpus? cpus, Action work)
    {
        HostCpus? before = Get(process, process);
        Pin(process, process, cpus);
        try
        {
            work();
        }
        finally
        {
            if (before is not null && IsOf(process, process))
            {
                // Where it fails, the engine has ended, or the cgroup has changed meanwhile.
                _ = Libc.SetAffinity(process, before.ToMask());
            }
        }
    }

    /// <summary>Where a thread of an engine may run; null when it has ended.</summary>
    internal static HostCpus? Get(int process, int thread)
    {
        try
        {
            return IsOf(process, thread) ? Read(thread) : null;
        }
        catch (StratoException) when (!IsOf(process, thread))
        {
            return null;
        }
    }

    private static void Pin(int thread, HostCpus? cpus)
    {
        HostCpus before = Read(thread);
        HostCpus allowed = AllowedFor(thread);
        if (cpus is null)
        {
            return;
        }

        try
        {
            Compare(cpus, allowed);
            Set(thread, cpus);
        }
        catch
        {
            Set(thread, before);
            throw;
        }
    }

    private static bool IsOf(int process, int thread) => System.IO.Directory.Exists($"/proc/{process}/task/{thread}");

    /// <summary>All CPUs that a thread could be given: the kernel cuts the mask to the cgroup's. The thread has them then.</summary>
    private static HostCpus AllowedFor(int thread)
    {
        Set(thread, Online);
        return Read(thread);
    }

    private static HostCpus Online => HostCpus.Parse((Procfs.ReadText("/sys/devices/system/cpu/online") ?? "0").Trim(), Where);

    private static void Compare(HostCpus wanted, HostCpus allowed)
    {
        HostCpus online = Online;
        if (wanted.Except(online) is { Count: > 0 } offline)
        {
            throw new StratoException(
                StratoErrorKind.Unavailable, "HostCpuOffline", $"Of the host's CPUs {wanted}, {offline} isn't there or is offline; online are {online}.")
            { Where = Where };
        }

        if (wanted.Except(allowed) is { Count: > 0 } outside)
        {
            throw new StratoException(
                StratoErrorKind.Unavailable, "HostCpuOutsideCgroup", $"Of the host's CPUs {wanted}, {outside} is outside the cgroup; it has {allowed}.")
            {
                Where = Where,
                RecommendedAction = "cpuset.cpus of the cgroup, or of one above it, has to name them.",
            };
        }
    }

    private static HostCpus Read(int thread)
    {
        byte[] mask = new byte[HostCpus.Most / 8];
        int bytes = Libc.GetAffinity(thread, mask);
        return bytes >= 0 ? HostCpus.FromMask(mask) : throw Failed("sched_getaffinity", thread);
    }

    private static void Set(int thread, HostCpus cpus)
    {
        if (Libc.SetAffinity(thread, cpus.ToMask()) < 0)
        {
            throw Failed("sched_setaffinity", thread);
        }
    }

    private static StratoException Failed(string call, int thread)
    {
        int errno = Errno.Last;
        return new StratoException(errno == Errno.EPERM ? StratoErrorKind.Permission : StratoErrorKind.Failed, CallFailed, $"{call}({thread}): {Errno.Text(errno)}.");
    }
}
