using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using Strato.Client.Runtime;
using Strato.Client.Store;
using Strato.Protocol.Configuration;

namespace Strato.Client;

public sealed partial class StratoClient
{
    private const string TheThreads = "Its iothreads";

    /// <summary>Adds a thread for devices to a stopped VM. Errors: <c>VmRunning</c>, <c>IoThreadExists</c>, <c>TooManyIoThreads</c>, <c>InvalidId</c>.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="threadId">Default: the first free of iothread0, iothread1 and so on.</param>
    /// <param name="token">Ends the wait for the VM's lock.</param>
    public IoThreadDefinition AddIoThread(string id, string? threadId = null, CancellationToken token = default)
    {
        IoThreadDefinition? added = null;
        Change(
            id,
            TheThreads,
            before =>
            {
                if (before.IoThreads.Count >= IoThreadConfiguration.Maximum)
                {
                    throw new StratoException(
                        StratoErrorKind.InvalidArgument, "TooManyIoThreads", $"The VM '{before.Name}' has {before.IoThreads.Count} iothreads, which is the most there can be.")
                    {
                        VmName = before.Name,
                    };
                }

                added = new IoThreadDefinition { Id = threadId ?? FreeIoThreadId(before) };
                CheckNewIoThread(before, added.Id, "-Id");
                return before with { IoThreads = [.. before.IoThreads, added] };
            },
            token);
        return added!;
    }

    /// <summary>Gives a thread of a stopped VM another id; the devices that name it follow. Errors: <c>VmRunning</c>, <c>IoThreadNotFound</c>, <c>IoThreadExists</c>, <c>InvalidId</c>.</summary>
    public void RenameIoThread(string id, string threadId, string newId, CancellationToken token = default) => Change(
        id,
        TheThreads,
        before =>
        {
            IoThreadDefinition thread = FindIoThread(before, threadId);
            if (!SameId(thread.Id, newId))
            {
                CheckNewIoThread(before, newId, "-NewId");
            }

            return before with
            {
                IoThreads = [.. Each(before.IoThreads, one => one == thread ? one with { Id = newId } : one)],
                Drives = [.. Each(before.Drives, drive => drive.Io.IoThread == thread.Id ? drive with { Io = drive.Io with { IoThread = newId } } : drive)],
                NetworkAdapters =
                [
                    .. Each(before.NetworkAdapters, adapter => adapter.Settings.IoThread == thread.Id ? adapter with { Settings = adapter.Settings with { IoThread = newId } } : adapter),
                ],
                Processor = before.Processor with
                {
                    Affinity = [.. Each(before.Processor.Affinity, one => one.IoThread == thread.Id ? one with { IoThread = newId } : one)],
                },
            };
        },
        token);

    /// <summary>Removes a thread that no device names from a stopped VM. Errors: <c>VmRunning</c>, <c>IoThreadNotFound</c>, <c>IoThreadInUse</c>.</summary>
    public void RemoveIoThread(string id, string threadId, CancellationToken token = default) => Change(
        id,
        TheThreads,
        before =>
        {
            IoThreadDefinition thread = FindIoThread(before, threadId);
            IReadOnlyList<string> users = GetIoThreadUsers(before, thread.Id);
            if (users.Count > 0)
            {
                throw new StratoException(
                    StratoErrorKind.InvalidState, "IoThreadInUse", $"The iothread '{thread.Id}' of the VM '{before.Name}' serves {string.Join(", ", Each(users, user => $"'{user}'"))}.")
                {
                    VmName = before.Name,
                    RecommendedAction = "Set-StratoDrive and Set-StratoNetworkAdapter give a device another by -IoThread ID, and the main thread by -IoThread ''.",
                };
            }

            List<IoThreadDefinition> left = [.. before.IoThreads];
            left.Remove(thread);
            List<AffinityDefinition> pinned = [.. before.Processor.Affinity];
            return pinned.RemoveAll(one => one.IoThread == thread.Id) == 0
                ? before with { IoThreads = left }
                : before with { IoThreads = left, Processor = before.Processor with { Affinity = pinned } };
        },
        token);

    /// <summary>Ids of the devices that a thread serves.</summary>
    public static IReadOnlyList<string> GetIoThreadUsers(VmDefinition vm, string threadId)
    {
        List<string> users = [];
        foreach (DriveDefinition drive in vm.Drives)
        {
            if (drive.Io.IoThread == threadId)
            {
                users.Add(drive.Id);
            }
        }

        foreach (NetworkAdapterDefinition adapter in vm.NetworkAdapters)
        {
            if (adapter.Settings.IoThread == threadId)
            {
                users.Add(adapter.Id);
            }
        }

        return users;
    }

    /// <summary>The host's ids of a running VM's threads, by theirs; empty when the VM doesn't run. Errors: <c>QmpTimeout</c>, <c>QmpDisconnected</c>.</summary>
    public IReadOnlyDictionary<string, int> GetIoThreadIds(string id, CancellationToken token = default)
    {
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        using EngineProcess? process = Registry.TryOpen(id);
        if (process is not null)
        {
            foreach (JsonElement thread in InvokeQmp(id, "query-iothreads", token: token).EnumerateArray())
            {
                ids[thread.GetProperty("id").GetString()!] = thread.GetProperty("thread-id").GetInt32();
            }
        }

        return ids;
    }

    /// <summary>The thread that a device names, as its id is written; null and empty stay. Error <c>IoThreadNotFound</c>.</summary>
    internal static string? ResolveIoThread(VmDefinition vm, string? threadId) => string.IsNullOrEmpty(threadId) ? threadId : FindIoThread(vm, threadId).Id;

    private static IoThreadDefinition FindIoThread(VmDefinition vm, string threadId)
    {
        foreach (IoThreadDefinition thread in vm.IoThreads)
        {
            if (SameId(thread.Id, threadId))
            {
                return thread;
            }
        }

        string known = vm.IoThreads.Count == 0 ? "it has none" : $"it has {string.Join(", ", Each(vm.IoThreads, thread => $"'{thread.Id}'"))}";
        throw new StratoException(StratoErrorKind.NotFound, "IoThreadNotFound", $"The VM '{vm.Name}' has no iothread '{threadId}'; {known}.")
        {
            VmName = vm.Name,
            RecommendedAction = $"Add-StratoIoThread '{threadId}' -VMName '{vm.Name}' gives a stopped VM one.",
        };
    }

    private static void CheckNewIoThread(VmDefinition vm, string threadId, string where)
    {
        VmRules.Convert(() => ConfigurationLimits.CheckId(threadId, where));
        foreach (IoThreadDefinition thread in vm.IoThreads)
        {
            if (SameId(thread.Id, threadId))
            {
                throw new StratoException(StratoErrorKind.AlreadyExists, "IoThreadExists", $"The VM '{vm.Name}' has an iothread '{thread.Id}' already.") { Where = where, VmName = vm.Name };
            }
        }
    }

    private static string FreeIoThreadId(VmDefinition vm)
    {
        HashSet<string> taken = new(Each(vm.IoThreads, thread => thread.Id), StringComparer.OrdinalIgnoreCase);
        int number = 0;
        while (taken.Contains($"iothread{number}"))
        {
            number++;
        }

        return $"iothread{number}";
    }

    private static IEnumerable<TResult> Each<T, TResult>(IEnumerable<T> items, Func<T, TResult> make)
    {
        foreach (T item in items)
        {
            yield return make(item);
        }
    }
}
