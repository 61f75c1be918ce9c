using System;
using System.Collections.Generic;
using System.IO;
using System.Security.Cryptography;
using System.Threading;
using Strato.Client.Disks;
using Strato.Client.Linux;

namespace Strato.Client.Store;

/// <summary>VM definitions on disk.</summary>
/// <remarks>
/// A definition appears and disappears with the rename of a folder, and changes with the rename of a file, so a reader needs no lock.
/// Writers hold the VM's lock; who gives a name holds the lock of names first. Locks are always taken in that order.
/// </remarks>
internal sealed class VmStore
{
    private const string IdLetters = "abcdefghijkmnpqrstuvwxyz23456789";
    private static readonly TimeSpan LockLimit = TimeSpan.FromSeconds(10);

    // Threads of this process stand in a line for the lock of names: many that make VMs at once ask for the file so often that one of them would never meet it free.
    private static readonly SemaphoreSlim NamesTurn = new(1, 1);

    private readonly StratoPaths _paths;

    internal VmStore(StratoPaths paths)
    {
        _paths = paths;
    }

    internal VmListing List()
    {
        List<VmDefinition> definitions = [];
        List<DamagedVm> damaged = [];
        foreach (string id in Ids())
        {
            try
            {
                if (TryRead(id) is { } vm)
                {
                    definitions.Add(vm);
                }
            }
            catch (StratoException e) when (e.Id == "VmDefinitionDamaged")
            {
                damaged.Add(new DamagedVm(id, e.VmName, _paths.DefinitionFile(id), e));
            }
        }

        definitions.Sort(static (a, b) => string.Compare(a.Name, b.Name, StringComparison.OrdinalIgnoreCase));
        return new VmListing(definitions, damaged);
    }

    internal static IReadOnlyList<VmDefinition> Find(VmListing all, string pattern)
    {
        List<VmDefinition> found = [];
        foreach (VmDefinition vm in all.Definitions)
        {
            if (SameName(vm.Name, pattern))
            {
                return [vm];
            }

            if (Wildcard.Matches(pattern, vm.Name))
            {
                found.Add(vm);
            }
        }

        return found;
    }

    internal IReadOnlyList<DamagedVm> FindDamaged(string pattern)
    {
        List<DamagedVm> found = [];
        foreach (DamagedVm vm in List().Damaged)
        {
            if (vm.Id == pattern || (vm.Name is not null && SameName(vm.Name, pattern)))
            {
                return [vm];
            }

            if (Wildcard.Matches(pattern, vm.Name ?? vm.Id))
            {
                found.Add(vm);
            }
        }

        return found;
    }

    internal static VmDefinition Get(VmListing all, string name)
    {
        foreach (VmDefinition vm in all.Definitions)
        {
            if (SameName(vm.Name, name))
            {
                return vm;
            }
        }

        List<string> nameless = [];
        foreach (DamagedVm vm in all.Damaged)
        {
            if (vm.Id == name || (vm.Name is not null && SameName(vm.Name, name)))
            {
                throw vm.Error;
            }

            if (vm.Name is null)
            {
                nameless.Add($"'{vm.Id}'");
            }
        }

        string ids = nameless.Count == 0 ? "" : $" Of a VM whose damaged definition hides its name the id stands for it: {string.Join(", ", nameless)}.";
        throw new StratoException(StratoErrorKind.NotFound, "VmNotFound", $"There is no VM named '{name}'.")
        {
            VmName = name,
            RecommendedAction = $"Get-StratoVm lists the VMs there are.{ids}",
        };
    }

    internal VmDefinition GetById(string id) => (IsId(id) ? TryRead(id) : null) ?? throw Missing(id);

    /// <summary>As <see cref="GetById"/>, but for a definition that can't be read there is what stands in for it.</summary>
    internal VmDefinition GetEvenDamaged(string id)
    {
        try
        {
            return GetById(id);
        }
        catch (StratoException e) when (e.Id == "VmDefinitionDamaged")
        {
            return new DamagedVm(id, e.VmName, _paths.DefinitionFile(id), e).StandIn;
        }
    }

    internal static StratoException Missing(string id) =>
        new(StratoErrorKind.NotFound, "VmNotFound", $"There is no VM with the id '{id}'; it may have been removed.") { VmName = id };

    /// <summary>Makes a VM from checked settings.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="token">As of <see cref="Add"/>.</param>
    /// <param name="complete">As of <see cref="Add"/>.</param>
    /// <param name="prepare">As of <see cref="Add"/>.</param>
    internal VmDefinition Create(VmSettings settings, CancellationToken token, Func<VmDefinition, VmDefinition>? complete = null, Action<string>? prepare = null)
    {
        VmDefinition vm = new()
        {
            Id = "",
            Name = settings.Name!,
            Machine = settings.Machine!,
            Kernel = settings.Kernel!,
            Initrd = string.IsNullOrEmpty(settings.Initrd) ? null : settings.Initrd,
            CommandLine = settings.CommandLine!,
            Memory = settings.Memory!.Value,
            HugePage = settings.HugePage is 0 ? null : settings.HugePage,
            Cpu = settings.Cpu!.Value,
            Processor = ProcessorRules.With(new ProcessorDefinition(), settings),
            NoHotPlug = settings.NoHotPlug == true,
            NoSandbox = settings.NoSandbox == true,
            Ephemeral = settings.Ephemeral == true,
            ConsolePorts = settings.GuestAgent == true ? [DeviceRules.GuestAgentPort] : [],
            Created = DateTimeOffset.UtcNow,
            Notes = settings.Notes ?? "",
        };
        return Add(vm, token, complete, prepare);
    }

    /// <summary>Takes a VM into the store, with an id of its own and the time of now. Error <c>VmExists</c>.</summary>
    /// <param name="definition">The VM.</param>
    /// <param name="token">Ends waiting for the lock.</param>
    /// <param name="complete">Gives it what no other VM has, under the lock of names; null for nothing.</param>
    /// <param name="prepare">Given the VM's folder before anybody sees it; null for nothing.</param>
    internal VmDefinition Add(VmDefinition definition, CancellationToken token, Func<VmDefinition, VmDefinition>? complete = null, Action<string>? prepare = null)
    {
        EnsureDirectories();
        using NamesLock names = LockNames(token);
        RemoveLeftovers();
        RefuseTakenName(definition.Name, except: null);
        string id;
        do
        {
            id = RandomNumberGenerator.GetString(IdLetters, 8);
        }
        while (Directory.Exists(_paths.VmDirectory(id)));

        VmDefinition vm = (complete?.Invoke(definition) ?? definition) with { Id = id, Created = DateTimeOffset.UtcNow };

        // Made under a name that nobody lists, then renamed: there wholly or not at all.
        string directory = Path.Combine(_paths.VmsDirectory, $".new-{id}");
        try
        {
            Guard(() =>
            {
                Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                prepare?.Invoke(directory);
                AtomicFile.Write(Path.Combine(directory, "vm.json"), DefinitionJson.Write(vm));
                Directory.Move(directory, _paths.VmDirectory(id));
                AtomicFile.SyncDirectory(_paths.VmsDirectory);
            });
        }
        catch (StratoException)
        {
            // What could not be made to last goes, too.
            string there = Directory.Exists(_paths.VmDirectory(id)) ? _paths.VmDirectory(id) : directory;
            FileJournal.Undo(there);
            DeleteLeftover(there);
            throw;
        }

        FileJournal.Forget(_paths.VmDirectory(id));
        return vm;
    }

    /// <summary>Removes what makers and removers that died have left.</summary>
    internal void Sweep(CancellationToken token)
    {
        EnsureDirectories();
        using NamesLock names = LockNames(token);
        RemoveLeftovers();
    }

    /// <summary>Changes a VM under its lock.</summary>
    /// <param name="id">Which.</param>
    /// <param name="rename">Whether the change may give what no other VM has: another name, a vsock's address.</param>
    /// <param name="change">From the present definition to the next; may throw to refuse.</param>
    /// <param name="token">Ends waiting for locks.</param>
    internal VmDefinition Update(string id, bool rename, Func<VmDefinition, VmDefinition> change, CancellationToken token)
    {
        GetById(id);
        using NamesLock? names = rename ? LockNames(token) : null;
        using FileLock mine = Lock(id, token);
        VmDefinition before = GetById(id);
        VmDefinition after = change(before);
        if (!string.Equals(after.Name, before.Name, StringComparison.Ordinal))
        {
            RefuseTakenName(after.Name, except: id);
        }

        Put(after);
        return after;
    }

    /// <summary>Gives a VM another definition of the same name. Under its lock.</summary>
    internal void Put(VmDefinition vm) => Guard(() =>
    {
        AtomicFile.RemoveLeftovers(_paths.DefinitionFile(vm.Id));
        AtomicFile.Write(_paths.DefinitionFile(vm.Id), DefinitionJson.Write(vm));
    });

    /// <summary>Removes a VM under its lock; <paramref name="allow"/> may throw to refuse.</summary>
    internal void Delete(string id, Action allow, CancellationToken token, TimeSpan? limit = null)
    {
        using FileLock mine = Lock(id, token, limit);
        allow();
        string grave = Path.Combine(_paths.VmsDirectory, $".old-{id}-{Guid.NewGuid():N}");
        Guard(() =>
        {
            Directory.Move(_paths.VmDirectory(id), grave);
            AtomicFile.SyncDirectory(_paths.VmsDirectory);
            DeleteLeftover(grave);
        });
    }

    /// <summary>The lock of one VM.</summary>
    internal FileLock Lock(string id, CancellationToken token, TimeSpan? limit = null)
    {
        if (!IsId(id) || !Directory.Exists(_paths.VmDirectory(id)))
        {
            throw Missing(id);
        }

        FileLock? taken = FileLock.TryTake(_paths.VmLock(id), Deadline.After(limit ?? LockLimit), token);
        if (taken is not null)
        {
            return taken;
        }

        throw Directory.Exists(_paths.VmDirectory(id))
            ? new StratoException(StratoErrorKind.Busy, "VmBusy", $"The VM '{NameOf(id)}' is being started or changed by another command.") { VmName = NameOf(id) }
            : Missing(id);
    }

    /// <summary>The name, or the id where the name can't be read.</summary>
    internal string NameOf(string id)
    {
        try
        {
            return TryRead(id)?.Name ?? id;
        }
        catch (StratoException e)
        {
            return e.VmName ?? id;
        }
    }

    internal static bool SameName(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);

    private static bool IsId(string id)
    {
        foreach (char c in id)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c))
            {
                return false;
            }
        }

        return id.Length == 8;
    }

    private List<string> Ids()
    {
        List<string> ids = [];
        try
        {
            foreach (string directory in Directory.EnumerateDirectories(_paths.VmsDirectory))
            {
                string id = Path.GetFileName(directory);
                if (IsId(id))
                {
                    ids.Add(id);
                }
            }
        }
        catch (DirectoryNotFoundException)
        {
            // Nothing was made yet.
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StratoException(StratoErrorKind.Permission, "StoreNotReadable", $"The folder '{_paths.VmsDirectory}' can't be read: {e.Message}", e);
        }

        return ids;
    }

    /// <summary>Null if there is no such VM (any more).</summary>
    private VmDefinition? TryRead(string id)
    {
        string path = _paths.DefinitionFile(id);
        DefinitionCache.FileState? state = DefinitionCache.Look(path);
        if (DefinitionCache.Find(path, state) is { } known)
        {
            return known;
        }

        byte[] json;
        try
        {
            json = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is DirectoryNotFoundException or FileNotFoundException)
        {
            return Directory.Exists(_paths.VmDirectory(id)) ? throw Damaged(id, null, "it is missing", e) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Damaged(id, null, $"it can't be read ({e.Message})", e);
        }

        try
        {
            VmDefinition read = DefinitionJson.Read(json, id);
            DefinitionCache.Keep(path, state, read, DateTimeOffset.UtcNow);
            return read;
        }
        catch (FormatException e)
        {
            throw Damaged(id, DefinitionJson.TryReadName(json), e.Message, e);
        }
    }

    private StratoException Damaged(string id, string? name, string fault, Exception inner)
    {
        string path = _paths.DefinitionFile(id);
        return new StratoException(StratoErrorKind.InvalidData, "VmDefinitionDamaged", $"The definition of the VM {(name is null ? $"with the id '{id}'" : $"'{name}'")} is damaged: in '{path}', {fault}.", inner)
        {
            Where = path,
            VmName = name,
            RecommendedAction = $"Mend the file, or remove the VM by Remove-StratoVm -Id {id}; if it still runs, Stop-StratoVm {id} -TurnOff ends it.",
        };
    }

    private void RefuseTakenName(string name, string? except)
    {
        VmListing all = List();
        foreach (VmDefinition vm in all.Definitions)
        {
            if (vm.Id != except && SameName(vm.Name, name))
            {
                throw Taken(name, vm.Name);
            }
        }

        foreach (DamagedVm vm in all.Damaged)
        {
            if (vm.Id != except && vm.Name is not null && SameName(vm.Name, name))
            {
                throw Taken(name, vm.Name);
            }
        }
    }

    private static StratoException Taken(string name, string existing) => new(
        StratoErrorKind.AlreadyExists,
        "VmExists",
        existing == name ? $"A VM named '{name}' exists already." : $"A VM named '{existing}' exists already; names that differ from '{name}' in case only are the same.")
    {
        VmName = name,
        RecommendedAction = "Choose another name, or remove that VM first.",
    };

    private NamesLock LockNames(CancellationToken token)
    {
        Deadline deadline = Deadline.After(LockLimit);
        FileLock? file = null;
        bool mine = NamesTurn.Wait(LockLimit, token);
        try
        {
            file = mine ? FileLock.TryTake(_paths.NamesLock, deadline, token) : null;
            return file is not null ? new NamesLock(file) : throw new StratoException(StratoErrorKind.Busy, "StoreBusy", $"Another command has held the lock '{_paths.NamesLock}' for {LockLimit.TotalSeconds} seconds.");
        }
        finally
        {
            if (mine && file is null)
            {
                NamesTurn.Release();
            }
        }
    }

    internal void EnsureDirectories() => Guard(() =>
    {
        // The mode applies to the last folder of a path only.
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(_paths.StateRoot, ownerOnly);
        Directory.CreateDirectory(_paths.VmsDirectory, ownerOnly);
    });

    /// <summary>Removes folders of makers and removers that died. Under the lock of names.</summary>
    private void RemoveLeftovers()
    {
        foreach (string leftover in Directory.EnumerateDirectories(_paths.VmsDirectory, ".*"))
        {
            string name = Path.GetFileName(leftover);
            if (name.StartsWith(".new-", StringComparison.Ordinal))
            {
                FileJournal.Undo(leftover);
                DeleteLeftover(leftover);
            }
            else if (name.StartsWith(".old-", StringComparison.Ordinal))
            {
                DeleteLeftover(leftover);
            }
        }
    }

    /// <summary>Deletes what a maker or remover leaves. Another process may be at the same in this very moment; what stays, the next one removes.</summary>
    private static void DeleteLeftover(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(_paths, e);
        }
    }

    internal static StratoException NotWritable(StratoPaths paths, Exception e)
    {
        bool denied = e is UnauthorizedAccessException;
        return new StratoException(denied ? StratoErrorKind.Permission : StratoErrorKind.Failed, "StoreNotWritable", $"The store of VMs '{paths.StateRoot}' can't be written: {e.Message}", e)
        {
            Where = paths.StateRoot,
            RecommendedAction = denied ? "Set STRATO_STATE to a folder that this user may write." : "Make room there, or set STRATO_STATE to another folder.",
        };
    }

    private sealed class NamesLock(FileLock file) : IDisposable
    {
        public void Dispose()
        {
            file.Dispose();
            NamesTurn.Release();
        }
    }
}
